// Keys and values of the labels that samplers give; users' labels have other keys.
#pragma once

#include <string_view>

namespace pycroscope {

// Why a thread was off the CPU: "gil", "sleep", "lock", ...; a sample without it was taken on a CPU.
inline constexpr std::string_view kWaitLabel = "wait";
inline constexpr std::string_view kWaitForGil = "gil";
// "held" where the thread held the GIL.
inline constexpr std::string_view kGilLabel = "gil";
inline constexpr std::string_view kGilHeld = "held";
// The name of the asyncio task that the thread executed; a sample without it was taken outside of all tasks.
inline constexpr std::string_view kTaskLabel = "task";

}  // namespace pycroscope

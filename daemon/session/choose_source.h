// Which way of sampling a recording takes: BPF programs where the kernel and the rights allow them, else reads from
// outside, unless one of them is asked for.
#pragma once

#include <memory>
#include <string_view>

#include "analysis/model/result.h"
#include "daemon/collect/sampler.h"
#include "daemon/collect/stack_source.h"
#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

// Values of RecordingConfig.sampler.
inline constexpr std::string_view kEbpfSampler = "ebpf";
inline constexpr std::string_view kReadSampler = "reads";

struct ChosenSource {
  std::unique_ptr<StackSource> source;
  std::string_view sampler;  // one of the above
};

// `config` is complete and valid; its sampler is empty for the best that works. `ready` saves the time of loading; it
// may be null.
Result<ChosenSource> choose_source(const v1::RecordingConfig& config, std::unique_ptr<Sampler> ready);

}  // namespace pycroscope

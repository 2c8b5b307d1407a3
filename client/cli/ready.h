// --ready-fd: telling a script, over a descriptor it gave us, that it can go on.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string_view>

#include "analysis/model/result.h"

namespace pycroscope {

void add_ready_fd(CLI::App& app, std::optional<int>& fd);
// kInvalid when the descriptor is not open: better now than after the recording has begun.
Status check_ready_fd(const std::optional<int>& fd);
// Writes "ready SESSION\n", or "ready\n" for an empty session, if a descriptor was given.
void announce_ready(const std::optional<int>& fd, std::string_view session);

}  // namespace pycroscope

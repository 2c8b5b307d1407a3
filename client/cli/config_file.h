// Options that stand in a file: pycroscope.yaml, or [tool.pycroscope] in pyproject.toml. Keys are the long names of
// options.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "analysis/model/result.h"

namespace pycroscope {

// The file that holds for a command without --config: the first one from `directory` upwards. One that belongs to
// somebody whom this user has no reason to trust is passed over, and said so.
std::optional<std::filesystem::path> find_config_file(std::filesystem::path directory);

// What the file adds to a command line, as arguments of `command`, which has been parsed: options that were given
// there, or exclude one that was, are left out, as are those of other commands. kInvalid: it cannot be read, or has a
// key that is no option of any command.
Result<std::vector<std::string>> arguments_of_file(const std::filesystem::path& file, const CLI::App& command);

}  // namespace pycroscope

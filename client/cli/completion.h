// Completion scripts, made from the command line itself: an option that exists is completed.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace pycroscope {

std::string bash_completion(const CLI::App& app);
std::string zsh_completion(const CLI::App& app);
std::string fish_completion(const CLI::App& app);

}  // namespace pycroscope

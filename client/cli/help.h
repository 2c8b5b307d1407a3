// How --help looks.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace pycroscope {

// Usage, what the command does, its options in aligned columns, and its footer (examples). Of a description, the part
// before the first empty line is the summary that the list of commands shows.
class HelpFormatter final : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
};

// "pycroscoped sessions list".
std::string full_name(const CLI::App& app);
// "-p, --pid PID" of an option, "PID" of one that is only positional.
std::string option_title(const CLI::Option& option);
std::string summary(const CLI::App& app);

}  // namespace pycroscope

// What there is to complete, read off the CLI11 app once for all shells.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace pycroscope {

struct CompletedOption {
  std::vector<std::string> names;  // "-p", "--pid"
  std::string value;               // what kind of value follows, "" for a flag: "PID", "FILE"
  std::string description;
};

struct CompletedCommand {
  std::string path;  // "sessions list", "" for the program itself
  std::string summary;
  std::vector<std::string> commands;
  std::vector<CompletedOption> options;
  std::string argument;  // what kind of argument it takes, "" for none
};

// The program first, each command before its subcommands.
std::vector<CompletedCommand> completed_commands(const CLI::App& app);

// How values of a kind are found.
struct CompletedValue {
  std::string_view kind;
  enum class Source { kWords, kShell, kFiles, kFolders } source;
  std::string text;  // kWords: the words; kShell: a command that prints one a line
};
std::vector<CompletedValue> completed_values();

}  // namespace pycroscope

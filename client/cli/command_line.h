// The commands of `pycroscoped` and what they have in common. A command is one file: its add_NAME() describes it to
// CLI11 and sets CommandLine::action when it was chosen; nothing else happens while parsing, so --help starts no
// service.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "analysis/model/result.h"

namespace pycroscope {

struct CommandLine {
  CLI::App app{"Shows where a running Python program spends its time, without touching it."};
  // What the chosen command does; its value is the exit code.
  std::function<Result<int>()> action;
  std::string config_file;                    // --config
  std::vector<const CLI::App*> finds_config;  // commands that look for a file without --config

  CommandLine();
};

void add_attach(CommandLine& line);
void add_completion(CommandLine& line);
void add_doctor(CommandLine& line);
void add_dump(CommandLine& line);
void add_export(CommandLine& line);
void add_ps(CommandLine& line);
void add_report(CommandLine& line);
void add_run(CommandLine& line);
void add_serve(CommandLine& line);
void add_sessions(CommandLine& line);
void add_top(CommandLine& line);

// --config FILE: options that stand in a file. `finds`: without it the usual places are searched.
void add_config(CommandLine& line, CLI::App& app, bool finds);

// Both live as long as the command line.
template <class Options>
struct Command {
  CLI::App* app;
  Options* options;
};

// A subcommand of `parent` and its options, with which `run` is called after parsing.
template <class Options>
Command<Options> add_command(CommandLine& line, CLI::App& parent, const std::string& name,
                             const std::string& description, Result<int> (*run)(const Options&)) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = parent.add_subcommand(name, description);
  command->callback([&line, options, run] { line.action = [options, run] { return run(*options); }; });
  return {command, options.get()};
}

// Parses, runs, prints the one sentence of a failure. Returns the exit code.
int run_command_line(int argc, char** argv);

}  // namespace pycroscope

#include "client/cli/completion.h"

#include "client/cli/command_line.h"
#include "client/cli/options.h"
#include "client/cli/suggest.h"
#include "client/cli/terminal.h"

namespace pycroscope {
namespace {

using MakeScript = std::string (*)(const CLI::App&);

struct CompletionOptions {
  const CLI::App* app = nullptr;
  MakeScript make_script = nullptr;
};

Result<MakeScript> parse_shell(std::string_view name) {
  if (name == "bash") return bash_completion;
  if (name == "zsh") return zsh_completion;
  if (name == "fish") return fish_completion;
  constexpr std::string_view kShells[] = {"bash", "zsh", "fish"};
  return fail(ErrorCode::kInvalid, unknown_name("completion for", name, kShells));
}

Result<int> run_completion(const CompletionOptions& options) { return print_result(options.make_script(*options.app)); }

}  // namespace

void add_completion(CommandLine& line) {
  auto [command, options] =
      add_command(line, line.app, "completion", "Print a script that completes commands in a shell", run_completion);
  options->app = &line.app;
  command->group("Service and setup");
  add_value(*command, "shell", options->make_script, parse_shell, "SHELL", "bash, zsh or fish")->required();
  command->footer(R"(Examples:
  source <(pycroscoped completion bash)            in ~/.bashrc
  source <(pycroscoped completion zsh)             in ~/.zshrc, after compinit
  pycroscoped completion fish | source             in ~/.config/fish/config.fish)");
}

}  // namespace pycroscope

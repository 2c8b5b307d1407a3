// The completion scripts, run by the shells that they are for.
#include "client/cli/completion.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>

#include "client/cli/command_line.h"
#include "client/cli/session_source.h"

namespace pycroscope {
namespace {

std::string output_of(const std::string& command) {
  struct Close {
    void operator()(std::FILE* pipe) const { ::pclose(pipe); }
  };
  const std::unique_ptr<std::FILE, Close> pipe(::popen(command.c_str(), "r"));
  std::string result;
  std::array<char, 4096> buffer;
  while (pipe && std::fgets(buffer.data(), buffer.size(), pipe.get()) != nullptr) result += buffer.data();
  return result;
}

bool has_word(const std::string& words, const std::string& wanted) {
  std::istringstream stream(words);
  for (std::string word; stream >> word;) {
    if (word == wanted) return true;
  }
  return false;
}

class BashCompletion : public testing::Test {
 protected:
  BashCompletion() : folder_(TemporaryDirectory::create().value()) {
    std::ofstream(folder_.path() / "completion") << bash_completion(line_.app);
  }
  // What bash offers for the last of `words`.
  std::string complete(const std::string& words) {
    const std::string script = folder_.path() / "completion";
    return output_of("bash -c 'source " + script + "; COMP_WORDS=(" + words +
                     "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _pycroscoped; echo \"${COMPREPLY[@]}\"' 2>&1");
  }

  CommandLine line_;
  TemporaryDirectory folder_;
};

TEST_F(BashCompletion, CommandsAndSubcommands) {
  EXPECT_TRUE(has_word(complete("pycroscoped at"), "attach"));
  EXPECT_FALSE(has_word(complete("pycroscoped at"), "top"));
  EXPECT_TRUE(has_word(complete("pycroscoped sessions \"\""), "prune"));
  EXPECT_TRUE(has_word(complete("pycroscoped completion \"\""), "fish"));
}

TEST_F(BashCompletion, OptionsOfTheCommandThatWasTyped) {
  EXPECT_TRUE(has_word(complete("pycroscoped attach --d"), "--duration"));
  EXPECT_FALSE(has_word(complete("pycroscoped report --d"), "--duration"));
  EXPECT_TRUE(has_word(complete("pycroscoped sessions prune --k"), "--keep"));
}

TEST_F(BashCompletion, ValuesOfOptions) {
  EXPECT_EQ(complete("pycroscoped report --view tr"), "tree\n");
  EXPECT_EQ(complete("pycroscoped report --view = tr"), "tree\n");
  EXPECT_EQ(complete("pycroscoped export -f coll"), "collapsed\n");
  EXPECT_TRUE(has_word(complete("pycroscoped report --store /"), "/usr"));
}

// Every shell that is here at least reads its script.
TEST(Completion, ScriptsAreValid) {
  const CommandLine line;
  const TemporaryDirectory folder = TemporaryDirectory::create().value();
  const std::tuple<const char*, const char*, std::string> shells[] = {
      {"bash", "bash -n", bash_completion(line.app)},
      {"zsh", "zsh -n", zsh_completion(line.app)},
      {"fish", "fish -n", fish_completion(line.app)},
  };
  for (const auto& [shell, check, script] : shells) {
    EXPECT_NE(script.find("duration"), std::string::npos) << shell;
    if (output_of(std::string("command -v ") + shell).empty()) {
      std::printf("[  SKIPPED ] %s is not installed: its script is not read by it\n", shell);
      continue;
    }
    std::ofstream(folder.path() / shell) << script;
    EXPECT_EQ(output_of(std::string(check) + " " + (folder.path() / shell).string() + " 2>&1"), "") << shell;
  }
}

}  // namespace
}  // namespace pycroscope

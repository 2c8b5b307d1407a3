// Python programs to look at from outside, on every interpreter that tests can use: Debian's own, those that
// tests/interpreters.py brings, and those that PYCROSCOPE_TEST_PYTHONS names (paths, ":" between them).
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "daemon/os/fd.h"

namespace pycroscope::test {

struct TestPython {
  std::string name;        // fit for a test's name
  std::string executable;  // as seen inside `root`
  std::string root;        // it runs in a chroot there, "": not in one

  bool is_there() const {
    return ::access((root + executable).c_str(), X_OK) == 0 && (root.empty() || ::geteuid() == 0);
  }
  friend void PrintTo(const TestPython& python, std::ostream* out) { *out << python.root << python.executable; }
};

inline std::string name_for_test(std::string text) {
  for (char& c : text)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return text;
}

inline std::vector<TestPython> test_pythons() {
  const auto variable = [](const char* name) { return std::string(std::getenv(name) ? std::getenv(name) : ""); };
  const std::string cache =
      (variable("XDG_CACHE_HOME").empty() ? variable("HOME") + "/.cache" : variable("XDG_CACHE_HOME")) +
      "/pycroscope-tests/";
  std::vector<TestPython> pythons = {{"debian_3_11", "/usr/bin/python3.11", ""},
                                     {"trixie_3_13", "/usr/bin/python3.13", cache + "trixie-python3.13"},
                                     {"sid_3_14", "/usr/bin/python3.14", cache + "sid-python3.14"},
                                     {"sid_3_15", "/usr/bin/python3.15", cache + "sid-python3.15"},
                                     {"free_threaded_3_13", cache + "free-threaded-3.13/bin/python3", ""},
                                     {"free_threaded_3_14", cache + "free-threaded-3.14/bin/python3", ""},
                                     {"musl_3_13", cache + "musl-3.13/bin/python3", ""}};
  std::istringstream more(variable("PYCROSCOPE_TEST_PYTHONS"));
  for (std::string path; std::getline(more, path, ':');) pythons.push_back({name_for_test(path), path, ""});
  return pythons;
}

inline std::string python_name(const testing::TestParamInfo<TestPython>& info) { return info.param.name; }

// A Python program as our child; killed in the end. It is given as text, prints "ready" when it may be looked at, and
// talks by lines on its standard streams.
class PythonTarget {
 public:
  PythonTarget(const TestPython& python, const std::string& program) {
    int in[2], out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(in[0], STDIN_FILENO);
      ::dup2(out[1], STDOUT_FILENO);
      if (!python.root.empty() && (::chroot(python.root.c_str()) != 0 || ::chdir("/") != 0)) ::_exit(127);
      ::execl(python.executable.c_str(), python.executable.c_str(), "-c", program.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    in_.reset(in[1]);
    out_.reset(out[0]);
  }
  PythonTarget(const PythonTarget&) = delete;
  ~PythonTarget() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const { return pid_; }

  bool wait_until_ready() { return read_line() == "ready"; }

  // Without the newline; what there is when the program ends its output.
  std::string read_line() {
    std::string line;
    for (char c = 0; ::read(out_.get(), &c, 1) == 1 && c != '\n';) line += c;
    return line;
  }

  bool write_line(const std::string& line) {
    const std::string text = line + "\n";
    return ::write(in_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  }

 private:
  pid_t pid_ = 0;
  Fd in_, out_;
};

// Tests that run on every interpreter: PYC_ON_EVERY_PYTHON(Suite) after `class Suite : public OnPython`.
class OnPython : public testing::TestWithParam<TestPython> {
 protected:
  void SetUp() override {
    if (!GetParam().is_there()) {
      GTEST_SKIP() << GetParam().root << GetParam().executable
                   << " is not there (tests/interpreters.py fetch brings it)";
    }
  }
};

#define PYC_ON_EVERY_PYTHON(suite) \
  INSTANTIATE_TEST_SUITE_P(, suite, testing::ValuesIn(pycroscope::test::test_pythons()), pycroscope::test::python_name)

}  // namespace pycroscope::test

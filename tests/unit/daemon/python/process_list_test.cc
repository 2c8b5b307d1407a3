#include "daemon/python/process_list.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/support/python_target.h"

namespace pycroscope {
namespace {

class ProcessListTest : public test::OnPython {};

TEST_P(ProcessListTest, HasPythonAndNothingElse) {
  test::PythonTarget python(GetParam(), R"(
import sys
print("ready", flush=True)
sys.stdin.readline()
)");
  ASSERT_TRUE(python.wait_until_ready());
  test::PythonTarget shell({"", "/bin/sh", ""}, "echo ready; read line  # python");
  ASSERT_TRUE(shell.wait_until_ready());
  const auto has = [](pid_t pid) {
    const auto list = list_python_processes();
    EXPECT_TRUE(list);
    return std::ranges::any_of(*list, [pid](const PythonProcess& entry) {
      return entry.process.pid() == pid && entry.version.text.starts_with("3.");
    });
  };
  EXPECT_TRUE(has(python.pid()));
  EXPECT_FALSE(has(shell.pid()));
  EXPECT_FALSE(has(::getpid()));
}

PYC_ON_EVERY_PYTHON(ProcessListTest);

}  // namespace
}  // namespace pycroscope

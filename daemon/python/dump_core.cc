#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "daemon/python/dump.h"
#include "daemon/python/interpreter.h"
#include "daemon/python/standstill.h"
#include "daemon/python/unicode.h"
#include "daemon/target/core_memory.h"
#include "daemon/target/core_modules.h"

namespace pycroscope {
namespace {

std::vector<std::string> problems_of(const CoreFile& core, const CoreModules& modules) {
  std::vector<std::string> problems;
  if (core.missing_bytes() > 0) {
    problems.push_back(core.path() + " is cut off: " + std::to_string(core.missing_bytes()) + " bytes are missing");
  }
  if (core.maps().empty()) problems.push_back(core.path() + " does not say which files were mapped");
  if (const auto list = modules.list(); !core.maps().empty() && list && list->empty()) {
    problems.push_back(core.path() + " does not hold the first pages of what was mapped (core(5): coredump_filter)");
  }
  if (core.notes().threads.empty()) problems.push_back(core.path() + " does not say which threads there were");
  for (std::string& problem : modules.problems()) problems.push_back(std::move(problem));
  return problems;
}

// A thread's innermost calls have left addresses there, never zeros alone.
bool has_stack(const CoreFile& core, const StoppedThread& thread) {
  std::array<std::byte, 256> top;
  if (!core.read_bytes(RemoteAddress(thread.stack_pointer), top)) return false;
  return std::ranges::any_of(top, [](std::byte byte) { return byte != std::byte{0}; });
}

// "" when all are there, or when it is clear already why some are not. gdb's gcore (gcore_copy_callback() in gdb 13's
// gcore.c) leaves zeros in place of a mapping from its first unreadable page on, and glibc's thread stacks have their
// guard page inside the mapping since 2.42 (MADV_GUARD_INSTALL). CPython has frames of its own on these stacks, which
// join what is called from C to its callers.
std::string missing_stacks(const CoreFile& core) {
  const auto& threads = core.notes().threads;
  const auto missing = std::ranges::count_if(threads, [&](const auto& thread) { return !has_stack(core, thread); });
  if (missing == 0 || core.missing_bytes() > 0) return "";
  return core.path() + " lacks the native stacks of " + std::to_string(missing) + " of " +
         std::to_string(threads.size()) +
         " threads, and with them the callers of some functions: gdb's gcore does not save those of glibc 2.42 and "
         "later, but the kernel does when a process crashes";
}

}  // namespace

Result<v1::DumpResponse> dump_core(const CoreFile& core, const std::string& executable, const DumpOptions& options) {
  const CoreModules modules(core, executable);
  const CoreMemory memory(core, modules);
  // Something that is missing is the likely reason for all other trouble.
  const auto explain = [&](const Error& error) -> std::unexpected<Error> {
    const auto problems = problems_of(core, modules);
    if (problems.empty()) return fail(error.code, error.message);
    return fail(error.code, "no Python stacks could be read from " + core.path() + ": " + problems.front());
  };
  const auto python = find_python(modules, memory);
  if (!python) return explain(python.error());
  const auto still =
      read_standstill(memory, *python, core.notes().threads,
                      {.locals = options.locals, .deadline = std::chrono::steady_clock::time_point::max()});
  if (!still)
    return explain({ErrorCode::kFailed, "the stacks in " + core.path() + " could not be read: it is damaged"});

  v1::DumpResponse response;
  response.set_pid(core.notes().pid);
  response.set_python(python->version);
  response.set_caution(python->caution);
  fill_threads(
      *still, [&](pid_t tid) { return tid == core.notes().pid ? printable_utf8(core.notes().program) : ""; }, response);
  for (const std::string& problem : problems_of(core, modules)) response.add_problems(problem);
  if (std::string missing = missing_stacks(core); !missing.empty()) response.add_problems(std::move(missing));
  return response;
}

}  // namespace pycroscope

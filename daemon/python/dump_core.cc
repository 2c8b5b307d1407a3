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
  return response;
}

}  // namespace pycroscope

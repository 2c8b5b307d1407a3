#include "daemon/python/dump.h"

#include <chrono>
#include <string>
#include <utility>

#include "daemon/os/file.h"
#include "daemon/os/ptrace.h"
#include "daemon/python/interpreter.h"
#include "daemon/python/standstill.h"
#include "daemon/python/unicode.h"
#include "daemon/target/live_memory.h"

namespace pycroscope {
namespace {

using std::chrono::steady_clock;

// However much there is to show, nobody's service stands still for longer: what is left then has no locals.
constexpr auto kMaxStandstill = std::chrono::milliseconds(200);

std::string kernel_name(const Process& process, pid_t tid) {
  auto name = read_file("/proc/" + std::to_string(process.pid()) + "/task/" + std::to_string(tid) + "/comm", 4096);
  if (!name) return {};
  if (name->ends_with('\n')) name->pop_back();
  return printable_utf8(*name);
}

}  // namespace

Result<v1::DumpResponse> dump_stacks(const Process& process, const DumpOptions& options) {
  const LiveMemory memory(process.pid());
  PYC_TRY(const PythonRuntime python, find_python(process, memory));
  const std::string name = "process " + std::to_string(process.pid());

  const auto begin = steady_clock::now();
  PYC_TRY(auto stop, ProcessStop::stop(process.pid()));
  const auto still =
      read_standstill(memory, python, stop.threads(), {.locals = options.locals, .deadline = begin + kMaxStandstill});
  stop.resume();
  const auto duration = steady_clock::now() - begin;
  if (!process.alive()) return fail(ErrorCode::kTargetGone, name + " has ended");
  if (!still) {
    return fail(ErrorCode::kFailed, "the stacks of " + name + " could not be read: it may be ending or damaged");
  }

  v1::DumpResponse response;
  response.set_pid(process.pid());
  response.set_python(python.version);
  response.set_caution(python.caution);
  response.set_stopped_ns(std::chrono::nanoseconds(duration).count());
  fill_threads(*still, [&](pid_t tid) { return kernel_name(process, tid); }, response);
  return response;
}

}  // namespace pycroscope

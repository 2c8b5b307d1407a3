#include "daemon/python/interpreter.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string_view>
#include <thread>

#include "daemon/python/layouts.h"
#include "daemon/python/python_symbols.h"
#include "daemon/target/proc_text.h"

namespace pycroscope {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// How long a process that starts gets until its runtime is there.
constexpr milliseconds kStartPatience{300};
constexpr milliseconds kRetryInterval{5};
// An older process that has no Python in it is not about to load it.
constexpr milliseconds kYoung{1000};

std::string process_name(const Process& process, const PythonSymbols& symbols) {
  return "process " + std::to_string(process.pid()) + " (" + printable(symbols.program) + ")";
}

std::unexpected<Error> not_python(const Process& process, const PythonSymbols& symbols) {
  return fail(ErrorCode::kFailed, process_name(process, symbols) + " is not a Python process");
}

milliseconds age_of(const Process& process) {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  const auto hertz = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  return milliseconds(now.tv_sec * 1000 + now.tv_nsec / 1'000'000) -
         milliseconds(process.start_time_ticks() * 1000 / hertz);
}

// PY_VERSION_HEX; nothing when the target does not have it as a number (before 3.11) or it is garbage.
Result<std::optional<uint32_t>> version_number(const TargetMemory& memory, const PythonSymbols& symbols) {
  if (!symbols.version) return std::nullopt;
  PYC_TRY(const auto version, memory.read<uint64_t>(symbols.version));
  if (version > UINT32_MAX || !plausible_version(static_cast<uint32_t>(version))) return std::nullopt;
  return static_cast<uint32_t>(version);
}

// "3.8" from "python3.8" or "libpython3.8.so.1.0", "" when the name does not say.
std::string version_in_name(std::string_view name) {
  constexpr std::string_view kPython = "python";
  constexpr std::string_view kDigits = "0123456789";
  const size_t begin = name.find(kPython);
  if (begin == name.npos) return "";
  name.remove_prefix(begin + kPython.size());
  const size_t dot = name.find_first_not_of(kDigits);
  if (dot == 0 || dot == name.npos || name[dot] != '.') return "";
  const size_t end = std::min(name.find_first_not_of(kDigits, dot + 1), name.size());
  return end == dot + 1 ? "" : std::string(name.substr(0, end));
}

std::string old_version(const PythonSymbols& symbols) {
  for (const std::string& path : {symbols.module, symbols.program}) {
    std::string version = version_in_name(std::string_view(path).substr(path.rfind('/') + 1));
    if (!version.empty()) return version;
  }
  return symbols.runtime ? "older than 3.11" : "older than 3.7";
}

enum class Stage { kStarting, kRunning, kFinalizing };

Result<Stage> read_stage(const TargetMemory& memory, const PythonRuntime& python) {
  const pyc_layout& layout = python.layout;
  PYC_TRY(const auto finalizing, memory.read_pointer(python.runtime + layout.runtime_finalizing));
  if (finalizing) return Stage::kFinalizing;
  PYC_TRY(const auto interpreter, memory.read_pointer(python.runtime + layout.runtime_interpreters_head));
  if (!interpreter) return Stage::kStarting;
  PYC_TRY(const auto thread, memory.read_pointer(interpreter + layout.interpreter_threads_head));
  return thread ? Stage::kRunning : Stage::kStarting;
}

// One look at the process. `may_change` tells whether a failure is one that time can heal.
Result<PythonRuntime> look(const Process& process, const TargetMemory& memory, bool& may_change) {
  may_change = false;
  PYC_TRY(const PythonSymbols symbols, find_python_symbols(process, memory));
  if (!symbols.is_python()) {
    may_change = age_of(process) < kYoung;
    return not_python(process, symbols);
  }
  const std::string name = process_name(process, symbols);
  PYC_TRY(const auto version, version_number(memory, symbols));
  if (!version) return fail(ErrorCode::kFailed, name + ": " + unsupported_version(old_version(symbols)));

  PythonRuntime python;
  python.version = version_text(*version);
  python.runtime_module = symbols.module;
  python.runtime = symbols.runtime;
  python.code_type = symbols.code_type;
  auto layout = resolve_layout(memory, python.runtime, *version);
  if (!layout) return fail(layout.error().code, name + ": " + layout.error().message);
  python.layout = *layout;

  PYC_TRY(const Stage stage, read_stage(memory, python));
  if (stage == Stage::kRunning) return python;
  if (stage == Stage::kFinalizing) return fail(ErrorCode::kFailed, name + " is already shutting its interpreter down");
  may_change = true;
  return fail(ErrorCode::kFailed, name + " has no running interpreter: it is still starting, try again in a moment");
}

// Reads that fail where CPython's own data should be.
Error explain(const Process& process, Error error) {
  if (error.code != ErrorCode::kMemory) return error;
  if (!process.alive()) return {ErrorCode::kTargetGone, "process " + std::to_string(process.pid()) + " has ended"};
  return {ErrorCode::kFailed, "the memory of process " + std::to_string(process.pid()) +
                                  " could not be read as that of a Python interpreter: it may be ending or damaged"};
}

}  // namespace

Result<PythonRuntime> find_python(const Process& process, const TargetMemory& memory) {
  const auto deadline = Clock::now() + kStartPatience;
  while (true) {
    bool may_change = false;
    auto python = look(process, memory, may_change);
    if (python) return python;
    if (!may_change || Clock::now() >= deadline || !process.alive()) {
      return std::unexpected(explain(process, std::move(python).error()));
    }
    std::this_thread::sleep_for(kRetryInterval);
  }
}

Result<std::string> python_version(const Process& process, const TargetMemory& memory) {
  auto symbols = find_python_symbols(process, memory);
  if (!symbols) return std::unexpected(explain(process, std::move(symbols).error()));
  if (!symbols->is_python()) return not_python(process, *symbols);
  auto version = version_number(memory, *symbols);
  if (!version) return std::unexpected(explain(process, std::move(version).error()));
  return *version ? version_text(**version) : old_version(*symbols);
}

}  // namespace pycroscope

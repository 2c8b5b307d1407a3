#include "daemon/python/interpreter.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string_view>
#include <thread>

#include "daemon/python/hexversion.h"
#include "daemon/python/layouts.h"
#include "daemon/python/python_symbols.h"
#include "daemon/python/resolve_layout.h"
#include "daemon/python/version.h"
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

std::string full_name(const TargetModules& modules, const PythonSymbols& symbols) {
  return modules.target_name() + " (" + printable(symbols.program) + ")";
}

std::unexpected<Error> not_python(const TargetModules& modules, const PythonSymbols& symbols) {
  return fail(ErrorCode::kFailed, full_name(modules, symbols) + " is not a Python process");
}

milliseconds age_of(const Process& process) {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  const auto hertz = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  return milliseconds(now.tv_sec * 1000 + now.tv_nsec / 1'000'000) -
         milliseconds(process.start_time_ticks() * 1000 / hertz);
}

// PY_VERSION_HEX; nothing when it is garbage, or before 3.11 too when the interpreter is still starting or is older
// than the table.
Result<std::optional<uint32_t>> version_number(const TargetMemory& memory, const PythonSymbols& symbols) {
  if (!symbols.version) return symbols.runtime ? read_hexversion(memory, symbols.runtime) : std::nullopt;
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
  return symbols.runtime ? "older than 3.8" : "older than 3.7";
}

std::unexpected<Error> still_starting(const std::string& name) {
  return fail(ErrorCode::kFailed, name + " has no running interpreter: it is still starting, try again in a moment");
}

// Why there is no version.
std::unexpected<Error> no_version(const std::string& name, const PythonSymbols& symbols) {
  const std::string version = old_version(symbols);
  const bool is_supported = std::ranges::any_of(
      layout_rows(), [&](const LayoutRow& row) { return minor_version_text(row.version) == version; });
  return is_supported ? still_starting(name) : fail(ErrorCode::kFailed, name + ": " + unsupported_version(version));
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

// Failures that time may heal.
enum class Missing { kNothing, kPython, kVersion, kInterpreter };

Result<PythonRuntime> look(const TargetModules& modules, const TargetMemory& memory, Missing& missing) {
  missing = Missing::kNothing;
  PYC_TRY(const PythonSymbols symbols, find_python_symbols(modules, memory));
  if (!symbols.is_python()) {
    missing = Missing::kPython;
    return not_python(modules, symbols);
  }
  const std::string name = full_name(modules, symbols);
  PYC_TRY(const auto version, version_number(memory, symbols));
  if (!version) {
    if (symbols.runtime) missing = Missing::kVersion;
    return no_version(name, symbols);
  }

  PythonRuntime python;
  python.version = version_text(*version);
  python.runtime_module = symbols.module;
  python.runtime = symbols.runtime;
  python.code_type = symbols.code_type;
  auto layout = resolve_layout(memory, python.runtime, *version);
  if (!layout) return fail(layout.error().code, name + ": " + layout.error().message);
  python.layout = *layout;
  python.caution = caution_about(*version);

  PYC_TRY(const Stage stage, read_stage(memory, python));
  if (stage == Stage::kRunning) return python;
  if (stage == Stage::kFinalizing) return fail(ErrorCode::kFailed, name + " is already shutting its interpreter down");
  missing = Missing::kInterpreter;
  return still_starting(name);
}

bool may_change(Missing missing, const Process& process) {
  return missing == Missing::kInterpreter || (missing != Missing::kNothing && age_of(process) < kYoung);
}

// Reads that fail where CPython's own data should be.
Error explain(const TargetModules& modules, Error error) {
  if (error.code != ErrorCode::kMemory) return error;
  return {ErrorCode::kFailed, "the memory of " + modules.target_name() +
                                  " could not be read as that of a Python interpreter: it may be ending or damaged"};
}

Error explain(const Process& process, Error error) {
  if (error.code == ErrorCode::kMemory && !process.alive()) {
    return {ErrorCode::kTargetGone, "process " + std::to_string(process.pid()) + " has ended"};
  }
  return explain(LiveModules(process), std::move(error));
}

}  // namespace

Result<PythonRuntime> find_python(const TargetModules& modules, const TargetMemory& memory) {
  Missing missing{};
  auto python = look(modules, memory, missing);
  if (!python) return std::unexpected(explain(modules, std::move(python).error()));
  return python;
}

Result<PythonRuntime> find_python(const Process& process, const TargetMemory& memory) {
  const auto deadline = Clock::now() + kStartPatience;
  while (true) {
    Missing missing{};
    auto python = look(LiveModules(process), memory, missing);
    if (python) return python;
    if (!may_change(missing, process) || Clock::now() >= deadline || !process.alive()) {
      return std::unexpected(explain(process, std::move(python).error()));
    }
    std::this_thread::sleep_for(kRetryInterval);
  }
}

Result<PythonVersion> python_version(const Process& process, const TargetMemory& memory) {
  const LiveModules modules(process);
  auto symbols = find_python_symbols(modules, memory);
  if (!symbols) return std::unexpected(explain(process, std::move(symbols).error()));
  if (!symbols->is_python()) return not_python(modules, *symbols);
  auto version = version_number(memory, *symbols);
  if (!version) return std::unexpected(explain(process, std::move(version).error()));
  if (!*version) return PythonVersion{.text = old_version(*symbols), .caution = ""};
  return PythonVersion{.text = version_text(**version), .caution = caution_about(**version)};
}

}  // namespace pycroscope

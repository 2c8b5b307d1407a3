#include "daemon/inject/python_start.h"

#include <elf.h>
#include <fmt/format.h>

#include <cstring>
#include <string>
#include <utility>

#include "daemon/os/file.h"
#include "daemon/target/elf_image.h"
#include "daemon/target/live_memory.h"
#include "daemon/target/modules.h"

namespace pycroscope {
namespace {

constexpr size_t kMaxAuxv = 4096;

// Where the program's own code begins; 0: it is not known.
uint64_t entry_point(pid_t pid) {
  const auto bytes = read_file(fmt::format("/proc/{}/auxv", pid), kMaxAuxv);
  for (size_t at = 0; bytes && at + sizeof(Elf64_auxv_t) <= bytes->size(); at += sizeof(Elf64_auxv_t)) {
    Elf64_auxv_t value;
    std::memcpy(&value, bytes->data() + at, sizeof value);
    if (value.a_type == AT_ENTRY) return value.a_un.a_val;
  }
  return 0;
}

}  // namespace

PythonStart::PythonStart(std::shared_ptr<const Process> process, std::function<Status(const Process&)> may_watch,
                         ExecWatch watch)
    : process_(std::move(process)), may_watch_(std::move(may_watch)), watch_(std::move(watch)) {}

Result<PythonStart> PythonStart::watch(std::shared_ptr<const Process> process,
                                       std::function<Status(const Process&)> may_watch) {
  PYC_TRY(ExecWatch watch, ExecWatch::begin(process->pid()));
  return PythonStart(std::move(process), std::move(may_watch), std::move(watch));
}

uint64_t PythonStart::find(std::string_view function) const {
  const auto modules = LiveModules(*process_).list();
  const LiveMemory memory(process_->pid());
  for (size_t i = 0; modules && i < modules->size(); ++i) {
    const auto image = ElfImage::read(memory, (*modules)[i].header.begin);
    const auto found = image ? image->find(function) : std::unexpected(image.error());
    if (found && *found) return found->address();
  }
  return 0;
}

Status PythonStart::run_to_python() {
  initialize_ = find("Py_InitializeFromConfig");
  main_ = find("Py_RunMain");
  // A compiler may have put one of them into its caller.
  return initialize_ != 0 && main_ != 0 ? watch_.go_on({initialize_, main_}) : watch_.go_on({});
}

// A program that has Python within it is there at once; others have to load it.
Status PythonStart::begin_program() {
  PYC_CHECK(may_watch_(*process_));
  entry_ = find("Py_RunMain") != 0 ? 0 : entry_point(process_->pid());
  return entry_ == 0 ? run_to_python() : watch_.go_on({entry_});
}

Status PythonStart::go_on_from(uint64_t place) {
  if (place == std::exchange(entry_, 0)) return run_to_python();
  PYC_TRY(const uint64_t end_of_initialization, watch_.return_address());
  return watch_.go_on({end_of_initialization, main_});
}

Result<std::optional<RemoteThread>> PythonStart::poll() {
  while (const auto event = watch_.poll()) {
    if (*event == ExecWatch::Event::kEnded)
      return fail(ErrorCode::kTargetGone, fmt::format("process {} has ended", process_->pid()));
    if (*event == ExecWatch::Event::kExecuted) {
      PYC_CHECK(begin_program());
      continue;
    }
    if (watch_.place() == entry_ || watch_.place() == initialize_) {
      PYC_CHECK(go_on_from(watch_.place()));
      continue;
    }
    PYC_TRY(RemoteThread thread, watch_.take());
    return thread;
  }
  return std::nullopt;
}

}  // namespace pycroscope

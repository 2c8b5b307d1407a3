#include "daemon/session/diagnosis.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/os/file.h"
#include "daemon/os/yama.h"
#include "daemon/python/interpreter.h"
#include "daemon/session/choose_source.h"
#include "daemon/session/permission.h"
#include "daemon/session/recording_config.h"
#include "daemon/target/live_memory.h"
#include "daemon/target/proc_text.h"
#include "daemon/target/process.h"

namespace pycroscope {
namespace {

constexpr char kBtf[] = "/sys/kernel/btf/vmlinux";
constexpr uint64_t kLittleSpace = uint64_t{1} << 30;
constexpr std::string_view kRunAsRoot = "run it with sudo, or use the service";

void add(v1::DiagnoseResponse& response, std::string_view name, v1::Check::Outcome outcome, std::string_view finding,
         std::string_view remedy = "") {
  v1::Check& check = *response.add_checks();
  check.set_name(std::string(name));
  check.set_outcome(outcome);
  check.set_finding(std::string(finding));
  check.set_remedy(std::string(remedy));
}

void check_kernel(v1::DiagnoseResponse& response) {
  utsname names{};
  ::uname(&names);
  int major = 0, minor = 0;
  const bool known = std::sscanf(names.release, "%d.%d", &major, &minor) == 2;
  // 5.8 brought the BPF ring buffer, CAP_BPF and CAP_PERFMON.
  const bool recent = known && (major > 5 || (major == 5 && minor >= 8));
  add(response, "kernel", recent ? v1::Check::OUTCOME_OK : v1::Check::OUTCOME_LIMITED,
      fmt::format("this is Linux {} on {}", names.release, names.machine),
      recent ? "" : "sampling in the kernel needs Linux 5.8 or later: use a newer one");
}

void check_btf(v1::DiagnoseResponse& response) {
  if (::access(kBtf, R_OK) == 0) {
    return add(response, "btf", v1::Check::OUTCOME_OK, fmt::format("the kernel describes its types in {}", kBtf));
  }
  add(response, "btf", v1::Check::OUTCOME_LIMITED, fmt::format("{} is missing: {}", kBtf, errno_text(errno)),
      "use a kernel built with CONFIG_DEBUG_INFO_BTF, as all large distributions do");
}

struct Capability {
  int number;
  std::string_view name;
  std::string_view purpose;
  v1::Check::Outcome without;
};
constexpr Capability kCapabilities[] = {
    {CAP_BPF, "CAP_BPF", "load the sampler into the kernel", v1::Check::OUTCOME_LIMITED},
    {CAP_PERFMON, "CAP_PERFMON", "take samples in the kernel", v1::Check::OUTCOME_LIMITED},
    {CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "read other processes and dump their stacks", v1::Check::OUTCOME_LIMITED},
    {CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", "reach the files of other users' processes",
     v1::Check::OUTCOME_LIMITED},
};

void check_capabilities(v1::DiagnoseResponse& response) {
  const auto held = capabilities_of(::getpid());
  for (const Capability& capability : kCapabilities) {
    const bool has = held && ((*held >> capability.number) & 1) != 0;
    add(response, capability.name, has ? v1::Check::OUTCOME_OK : capability.without,
        fmt::format("{} to {}", has ? "this process is allowed" : "this process is not allowed", capability.purpose),
        has ? "" : kRunAsRoot);
  }
}

// The same in one line: which sampler a recording takes, by trying it.
void check_sampling(v1::DiagnoseResponse& response) {
  v1::RecordingConfig config;
  config.set_mode(v1::SAMPLE_MODE_CPU);
  config.set_rate_hz(kDefaultRate);
  config.set_sampler(std::string(kEbpfSampler));
  const auto source = choose_source(config, nullptr);
  if (source)
    return add(response, "sampling", v1::Check::OUTCOME_OK, "recordings sample in the kernel (eBPF), which is exact");
  add(response, "sampling", v1::Check::OUTCOME_LIMITED,
      "recordings of your own processes read their memory from outside, which is less exact; eBPF fails: " +
          source.error().message,
      kRunAsRoot);
}

// Tries it in earnest: a kernel or a container may refuse what the capabilities promise.
void check_bpf(v1::DiagnoseResponse& response) {
  const auto check = [&](std::string_view name, int outcome, std::string_view what) {
    if (outcome == 1) return add(response, name, v1::Check::OUTCOME_OK, fmt::format("{} can be used", what));
    add(response, name, v1::Check::OUTCOME_LIMITED,
        fmt::format("{} cannot be used{}", what, outcome < 0 ? ": " + errno_text(-outcome) : ""),
        "run it with sudo; in a container, allow bpf() and perf_event_open() or run the service on the host");
  };
  check("bpf", ::libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_PERF_EVENT, nullptr), "a BPF program on perf events");
  check("ringbuf", ::libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, nullptr), "the BPF ring buffer");
}

std::optional<int> kernel_setting(const std::string& path) {
  const auto text = read_file(path, 4096);
  if (!text) return std::nullopt;
  return parse_number<int>(std::string_view(*text).substr(0, text->find('\n')));
}

void check_settings(v1::DiagnoseResponse& response) {
  const bool root = ::geteuid() == 0;
  if (const auto paranoid = kernel_setting("/proc/sys/kernel/perf_event_paranoid")) {
    const bool fine = root || *paranoid < 3;
    add(response, "perf_event_paranoid", fine ? v1::Check::OUTCOME_OK : v1::Check::OUTCOME_LIMITED,
        fmt::format("kernel.perf_event_paranoid is {}{}", *paranoid, root ? ", which does not bind root" : ""),
        fine ? "" : kRunAsRoot);
  } else {
    add(response, "perf_event_paranoid", v1::Check::OUTCOME_LIMITED, "this kernel has no perf events",
        "use a kernel built with CONFIG_PERF_EVENTS");
  }
}

// Without it neither sampler works.
void check_ptrace_scope(v1::DiagnoseResponse& response) {
  const auto scope = ptrace_scope();
  if (!scope)
    return add(response, "ptrace_scope", v1::Check::OUTCOME_OK, "this kernel limits ptrace no further (no Yama)");
  const std::string_view limit = ptrace_scope_limit(*scope, ::geteuid() == 0);
  if (limit.empty())
    return add(response, "ptrace_scope", v1::Check::OUTCOME_OK,
               fmt::format("kernel.yama.ptrace_scope is {}, which does not bind this process", *scope));
  const size_t colon = limit.find(": ");
  add(response, "ptrace_scope", *scope == 1 ? v1::Check::OUTCOME_LIMITED : v1::Check::OUTCOME_FAILED,
      limit.substr(0, colon), limit.substr(colon + 2));
}

}  // namespace

void check_machine(v1::DiagnoseResponse& response) {
  check_kernel(response);
  check_btf(response);
  check_capabilities(response);
  check_bpf(response);
  check_settings(response);
  check_ptrace_scope(response);
  check_sampling(response);
}

void check_store(const std::filesystem::path& directory, v1::DiagnoseResponse& response) {
  if (::access(directory.c_str(), W_OK | X_OK) != 0) {
    return add(response, "store", v1::Check::OUTCOME_FAILED,
               fmt::format("sessions cannot be written to {}: {}", directory.string(), errno_text(errno)),
               "choose another directory with --store, or change its owner");
  }
  struct statvfs space{};
  if (::statvfs(directory.c_str(), &space) != 0) {
    return add(response, "store", v1::Check::OUTCOME_LIMITED,
               fmt::format("the free space of {} is unknown: {}", directory.string(), errno_text(errno)));
  }
  const uint64_t free = space.f_bavail * space.f_frsize;
  const bool enough = free >= kLittleSpace;
  add(response, "store", enough ? v1::Check::OUTCOME_OK : v1::Check::OUTCOME_LIMITED,
      fmt::format("sessions go to {}, where {:.1f} GiB are free", directory.string(),
                  static_cast<double>(free) / static_cast<double>(kLittleSpace)),
      enough ? "" : "make room, e.g. with `pycroscoped sessions prune --keep 20`");
}

void check_target(const Caller& caller, pid_t pid, v1::DiagnoseResponse& response) {
  const auto failed = [&](std::string_view name, const Error& error, std::string_view remedy) {
    add(response, name, v1::Check::OUTCOME_FAILED, error.message, remedy);
  };
  const Result<Process> process = Process::open(pid);
  if (!process) return failed("process", process.error(), "`pycroscoped ps` lists the Python processes");
  add(response, "process", v1::Check::OUTCOME_OK, fmt::format("process {} runs", pid));
  if (const Status allowed = check_attach(caller, *process); !allowed) {
    return failed("permission", allowed.error(), kRunAsRoot);
  }
  add(response, "permission", v1::Check::OUTCOME_OK, fmt::format("you may look into process {}", pid));
  const Result<PythonRuntime> python = find_python(*process, LiveMemory(pid));
  if (!python) return failed("python", python.error(), "`pycroscoped ps` lists the Python processes");
  add(response, "python", v1::Check::OUTCOME_OK,
      fmt::format("CPython {}, which is supported, in {}", python->version, printable(python->runtime_module)));
}

}  // namespace pycroscope

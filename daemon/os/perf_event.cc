#include "daemon/os/perf_event.h"

#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "daemon/os/file.h"

namespace pycroscope {
namespace {

std::unexpected<Error> open_failure(int error, pid_t tid) {
  switch (error) {
    case ESRCH:
      return fail(ErrorCode::kTargetGone, fmt::format("thread {} does not exist any more", tid));
    case EPERM:
    case EACCES:
      return fail(ErrorCode::kNotPermitted,
                  "the kernel does not permit perf events on this process: run as root, or with CAP_PERFMON and "
                  "CAP_SYS_PTRACE");
    case EMFILE:
    case ENFILE:
      return fail(ErrorCode::kFailed,
                  fmt::format("too many threads to watch ({}): raise the limit of open files", errno_text(error)));
    default:
      return fail(ErrorCode::kFailed,
                  fmt::format("the kernel has no perf event for the CPU time of a thread: {}", errno_text(error)));
  }
}

Status ioctl_event(const Fd& fd, unsigned long request, unsigned long argument, const char* what) {
  if (::ioctl(fd.get(), request, argument) == 0) return {};
  return fail(ErrorCode::kFailed, fmt::format("cannot {} a perf event: {}", what, errno_text(errno)));
}

perf_event_attr clock_attributes(uint64_t period_ns) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_CPU_CLOCK;
  attributes.sample_period = period_ns;
  attributes.disabled = 1;
  return attributes;
}

Fd open_event(const perf_event_attr& attributes, pid_t tid, int cpu) {
  return Fd(static_cast<int>(::syscall(SYS_perf_event_open, &attributes, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC)));
}

}  // namespace

Result<CpuClockEvent> CpuClockEvent::open(pid_t tid, uint64_t period_ns, Inherit inherit) {
  perf_event_attr attributes = clock_attributes(period_ns);
  attributes.inherit = 1;
  attributes.inherit_thread = inherit == Inherit::kThreads;
  Fd fd = open_event(attributes, tid, -1);
  if (!fd) return open_failure(errno, tid);
  return CpuClockEvent(std::move(fd));
}

Result<CpuClockEvent> CpuClockEvent::open_cpu(int cpu, uint64_t period_ns) {
  Fd fd = open_event(clock_attributes(period_ns), -1, cpu);
  if (!fd && (errno == ENODEV || errno == EINVAL))
    return fail(ErrorCode::kNotFound, fmt::format("there is no CPU {}", cpu));
  if (!fd) return open_failure(errno, 0);
  return CpuClockEvent(std::move(fd));
}

Status CpuClockEvent::attach(int bpf_program) {
  return ioctl_event(fd_, PERF_EVENT_IOC_SET_BPF, static_cast<unsigned long>(bpf_program), "attach the sampler to");
}

Status CpuClockEvent::start() { return ioctl_event(fd_, PERF_EVENT_IOC_ENABLE, 0, "start"); }

Status CpuClockEvent::stop() { return ioctl_event(fd_, PERF_EVENT_IOC_DISABLE, 0, "stop"); }

Result<uint64_t> CpuClockEvent::cpu_time_ns() const {
  uint64_t count = 0;
  if (::read(fd_.get(), &count, sizeof count) == sizeof count) return count;
  return fail(ErrorCode::kFailed, fmt::format("cannot read a perf event: {}", errno_text(errno)));
}

}  // namespace pycroscope

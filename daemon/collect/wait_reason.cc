#include "daemon/collect/wait_reason.h"

#include <sys/syscall.h>

#include "analysis/model/labels.h"

namespace pycroscope {
namespace {

struct Reason {
  long syscall;
  std::string_view name;
};

constexpr Reason kReasons[] = {
    {SYS_futex, "lock"},
#ifdef SYS_futex_waitv
    {SYS_futex_waitv, "lock"},
#endif
    {SYS_nanosleep, "sleep"},
    {SYS_clock_nanosleep, "sleep"},
    {SYS_pause, "signal"},
    {SYS_rt_sigsuspend, "signal"},
    {SYS_rt_sigtimedwait, "signal"},
    {SYS_recvfrom, "socket"},
    {SYS_recvmsg, "socket"},
    {SYS_recvmmsg, "socket"},
    {SYS_sendto, "socket"},
    {SYS_sendmsg, "socket"},
    {SYS_sendmmsg, "socket"},
    {SYS_accept, "socket"},
    {SYS_accept4, "socket"},
    {SYS_connect, "socket"},
    {SYS_poll, "poll"},
    {SYS_ppoll, "poll"},
    {SYS_select, "poll"},
    {SYS_pselect6, "poll"},
    {SYS_epoll_wait, "poll"},
    {SYS_epoll_pwait, "poll"},
    {SYS_epoll_pwait2, "poll"},
    {SYS_io_uring_enter, "poll"},
    {SYS_read, "file"},
    {SYS_pread64, "file"},
    {SYS_readv, "file"},
    {SYS_preadv, "file"},
    {SYS_write, "file"},
    {SYS_pwrite64, "file"},
    {SYS_writev, "file"},
    {SYS_pwritev, "file"},
    {SYS_fsync, "file"},
    {SYS_fdatasync, "file"},
    {SYS_openat, "file"},
    {SYS_open, "file"},
    {SYS_close, "file"},
    {SYS_flock, "file"},
    {SYS_fcntl, "file"},
    {SYS_sendfile, "file"},
    {SYS_copy_file_range, "file"},
    {SYS_wait4, "child"},
    {SYS_waitid, "child"},
    {SYS_vfork, "child"},
};

bool is_select(uint32_t syscall) { return syscall == SYS_select || syscall == SYS_pselect6; }

}  // namespace

std::string_view wait_reason(const pyc_sample& wait) {
  if ((wait.flags & PYC_SAMPLE_WAITS_FOR_GIL) != 0) return kWaitForGil;
  if ((wait.flags & PYC_SAMPLE_RUNNABLE) != 0) return "cpu";
  if (wait.wait_syscall == PYC_NO_SYSCALL) return "page";
  // time.sleep() before 3.11: a select() on no descriptor.
  if (is_select(wait.wait_syscall) && wait.wait_argument == 0) return "sleep";
  for (const Reason& reason : kReasons)
    if (static_cast<uint32_t>(reason.syscall) == wait.wait_syscall) return reason.name;
  return "other";
}

}  // namespace pycroscope

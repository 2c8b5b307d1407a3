#include "client/cli/ready.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <string>

#include "client/cli/options.h"
#include "client/cli/parse.h"

namespace pycroscope {
namespace {

Result<int> parse_descriptor(std::string_view text) {
  PYC_TRY(const int64_t fd, parse_integer(text, "a file descriptor", 0, 1'000'000));
  return static_cast<int>(fd);
}

}  // namespace

void add_ready_fd(CLI::App& app, std::optional<int>& fd) {
  add_value(app, "--ready-fd", fd, parse_descriptor, "N",
            "Write `ready` and a newline to this descriptor once it is live");
}

Status check_ready_fd(const std::optional<int>& fd) {
  const int flags = fd ? ::fcntl(*fd, F_GETFL) : O_RDWR;
  if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY) return {};
  return fail(ErrorCode::kInvalid, fmt::format("--ready-fd {} is not open for writing", *fd));
}

void announce_ready(const std::optional<int>& fd, std::string_view session) {
  if (!fd) return;
  const std::string text = session.empty() ? "ready\n" : fmt::format("ready {}\n", session);
  // A reader that has gone away no longer wants to know.
  [[maybe_unused]] const ssize_t written = ::write(*fd, text.data(), text.size());
}

}  // namespace pycroscope

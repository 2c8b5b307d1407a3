#include "daemon/store/session_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include "daemon/store/files.h"

namespace pycroscope {
namespace {

constexpr const char* kMetaName = "session.pb";
constexpr const char* kMetaTemporaryName = "session.pb.new";
constexpr const char* kLockName = "lock";
// The lock file is as large while recording: on a full disk, giving it up makes room for the last session.pb.
constexpr size_t kReserveBytes = 16384;
constexpr size_t kMaxMetaBytes = size_t{16} << 20;
// Who sees a session is decided by its directory's mode.
constexpr mode_t kMetaMode = 0640, kOwnMode = 0700, kSharedMode = 0750;

Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return std::unexpected(system_error("cannot write a session"));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Result<std::string> read_all(int fd) {
  std::string content;
  char buffer[16384];
  while (true) {
    ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(system_error("cannot read session.pb"));
    if (got == 0) return content;
    content.append(buffer, static_cast<size_t>(got));
    if (content.size() > kMaxMetaBytes) return fail(ErrorCode::kCorrupt, "session.pb is too large");
  }
}

Status replace_meta(int directory, std::string_view content, bool durable, uid_t uid) {
  ::unlinkat(directory, kMetaTemporaryName, 0);  // of a recorder that was killed
  Fd file(::openat(directory, kMetaTemporaryName, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kMetaMode));
  if (!file) return std::unexpected(system_error("cannot write a session"));
  PYC_CHECK(write_all(file.get(), content));
  struct stat owner{};
  if (::fstat(directory, &owner) != 0) return std::unexpected(system_error("cannot write a session"));
  if (::geteuid() == 0 && ::fchown(file.get(), uid, owner.st_gid) != 0)
    return std::unexpected(system_error("cannot give a session to its owner"));
  if (durable && ::fsync(file.get()) != 0) return std::unexpected(system_error("cannot write a session"));
  if (::renameat(directory, kMetaTemporaryName, directory, kMetaName) != 0)
    return std::unexpected(system_error("cannot write a session"));
  if (durable) ::fsync(directory);
  return {};
}

}  // namespace

bool is_shared(const struct stat& directory) { return (directory.st_mode & S_IXGRP) != 0; }

Result<SessionDir> SessionDir::open(int parent, const std::string& name) {
  Fd directory(::openat(parent, name.c_str(), kDirectoryFlags));
  struct stat status{};
  if (!directory || ::fstat(directory.get(), &status) != 0)
    return std::unexpected(system_error(fmt::format("cannot open session {}", name)));
  return SessionDir(std::move(directory), status.st_uid);
}

Result<SessionDir> SessionDir::create(int parent, const std::string& name) {
  if (::mkdirat(parent, name.c_str(), kOwnMode) != 0) return std::unexpected(system_error("cannot create a session"));
  PYC_TRY(SessionDir session, open(parent, name));
  int directory = session.directory_.get();
  session.lock_ = Fd(::openat(directory, kLockName, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!session.lock_ || ::flock(session.lock_.get(), LOCK_EX | LOCK_NB) != 0)
    return std::unexpected(system_error("cannot create a session"));
  PYC_CHECK(write_all(session.lock_.get(), std::string(kReserveBytes, '\0')));
  if (::mkdirat(directory, kDatabaseName, 0755) != 0) return std::unexpected(system_error("cannot create a session"));
  session.database_ = Fd(::openat(directory, kDatabaseName, kDirectoryFlags));
  if (!session.database_) return std::unexpected(system_error("cannot create a session"));
  return session;
}

std::optional<gid_t> SessionDir::shared_with() const {
  struct stat status{};
  if (::fstat(directory_.get(), &status) != 0 || !is_shared(status)) return std::nullopt;
  return status.st_gid;
}

Status SessionDir::share(std::optional<gid_t> group) {
  // In this order nobody sees it in between but those who are meant to.
  if (::fchmod(directory_.get(), kOwnMode) != 0) return std::unexpected(system_error("cannot share a session"));
  if (!group) return {};
  const auto same_owner = static_cast<uid_t>(-1);
  if (::fchown(directory_.get(), same_owner, *group) != 0 ||
      ::fchownat(directory_.get(), kMetaName, same_owner, *group, AT_SYMLINK_NOFOLLOW) != 0 ||
      ::fchmod(directory_.get(), kSharedMode) != 0)
    return std::unexpected(system_error("cannot share a session"));
  return {};
}

std::filesystem::path SessionDir::database() const {
  if (database_) return fmt::format("/proc/self/fd/{}", database_.get());
  return fmt::format("/proc/self/fd/{}/{}", directory_.get(), kDatabaseName);
}

Result<v1::Session> SessionDir::read_meta() const {
  Fd file(::openat(directory_.get(), kMetaName, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!file) return std::unexpected(system_error("cannot read session.pb"));
  PYC_TRY(std::string content, read_all(file.get()));
  v1::Session session;
  if (content.empty() || !session.ParseFromString(content)) return fail(ErrorCode::kCorrupt, "session.pb is damaged");
  return session;
}

Status SessionDir::write_meta(const v1::Session& session, bool durable) {
  std::string content = session.SerializeAsString();
  Status status = replace_meta(directory_.get(), content, durable, owner_);
  if (status || status.error().code != ErrorCode::kNoSpace || !lock_) return status;
  drop_reserve();
  return replace_meta(directory_.get(), content, durable, owner_);
}

bool SessionDir::is_locked() const {
  Fd file(::openat(directory_.get(), kLockName, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  // Shared, so that two who ask at once do not take each other for the recorder.
  return file && ::flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

Status SessionDir::give_directory(uid_t uid, gid_t gid) {
  if (::geteuid() != 0) return {};
  if (::fchown(lock_.get(), uid, gid) != 0 || ::fchown(directory_.get(), uid, gid) != 0)
    return std::unexpected(system_error("cannot give a session to its owner"));
  owner_ = uid;
  return {};
}

Status SessionDir::give_database(uid_t uid, gid_t gid) {
  if (::geteuid() != 0) return {};
  bool given = true;
  PYC_CHECK(for_each_name(database_.get(), [&](const char* name) {
    given &= ::fchownat(database_.get(), name, uid, gid, AT_SYMLINK_NOFOLLOW) == 0;
  }));
  if (!given || ::fchown(database_.get(), uid, gid) != 0)
    return std::unexpected(system_error("cannot give a session to its owner"));
  return {};
}

void SessionDir::drop_reserve() {
  if (::ftruncate(lock_.get(), 0) != 0) return;  // then there is less room, which whoever writes will notice
}

void SessionDir::unlock() { lock_.reset(); }

uint64_t SessionDir::bytes() const { return tree_bytes(directory_.get()); }

}  // namespace pycroscope

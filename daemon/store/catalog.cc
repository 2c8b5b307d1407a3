#include "daemon/store/catalog.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "daemon/os/user_names.h"
#include "daemon/store/files.h"
#include "daemon/store/session_id.h"

namespace pycroscope {
namespace {

constexpr size_t kShortestPrefix = 4;
constexpr time_t kLeftoverAge = 3600;

}  // namespace

Result<Catalog> Catalog::open(const std::filesystem::path& store) {
  Fd sessions(::open((store / kSessionsName).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat status{};
  if (!sessions || ::fstat(sessions.get(), &status) != 0)
    return fail(errno == EACCES ? ErrorCode::kNotPermitted : ErrorCode::kFailed,
                fmt::format("cannot read the store {}: {}; choose another one with --store", store.string(),
                            std::strerror(errno)));
  return Catalog(std::move(sessions), status.st_uid);
}

Result<std::vector<std::string>> Catalog::names() const {
  std::vector<std::string> names;
  Status listed = for_each_name(sessions_.get(), [&](const char* name) { names.emplace_back(name); });
  if (!listed) return std::unexpected(listed.error());
  return names;
}

Catalog::Access Catalog::access(const std::string& name, const StoreUser& user) const {
  struct stat status{};
  if (::fstatat(sessions_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(status.st_mode))
    return Access::kNone;
  if (user.uid == 0 || status.st_uid == user.uid) return Access::kOwn;
  const bool shared = is_shared(status) && std::ranges::find(user.groups, status.st_gid) != user.groups.end();
  return shared ? Access::kSee : Access::kNone;
}

Result<std::vector<std::string>> Catalog::ids(const StoreUser& user, Access least) const {
  PYC_TRY(std::vector<std::string> ids, names());
  std::erase_if(ids, [&](const std::string& name) { return !is_session_id(name) || access(name, user) < least; });
  std::ranges::sort(ids, std::ranges::greater());
  return ids;
}

Result<std::vector<std::string>> Catalog::ids(const StoreUser& user) const { return ids(user, Access::kSee); }
Result<std::vector<std::string>> Catalog::own_ids(const StoreUser& user) const { return ids(user, Access::kOwn); }

std::string Catalog::newest_of_all() const {
  std::string newest;
  static_cast<void>(for_each_name(sessions_.get(), [&](const char* name) {
    if (newest < name && is_session_id(name)) newest = name;
  }));
  return newest;
}

Result<std::vector<std::string>> Catalog::ids_of(uid_t owner) const {
  PYC_TRY(std::vector<std::string> ids, own_ids({}));
  std::erase_if(ids, [&](const std::string& id) {
    struct stat status{};
    return ::fstatat(sessions_.get(), id.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || status.st_uid != owner;
  });
  return ids;
}

Status Catalog::check_own(const std::string& id, const StoreUser& user) const {
  if (access(id, user) == Access::kOwn) return {};
  return fail(ErrorCode::kNotPermitted,
              fmt::format("session {} is shared with you and not yours: only its owner and root may change it", id));
}

bool Catalog::is_locked(const std::string& name) const {
  const Result<SessionDir> directory = SessionDir::open(sessions_.get(), name);
  return directory && directory->is_locked();
}

std::vector<std::string> Catalog::leftovers(const StoreUser& user) const {
  std::vector<std::string> found = names().value_or(std::vector<std::string>());
  std::erase_if(found, [&](const std::string& name) {
    struct stat status{};
    bool hidden = name.starts_with(kNewPrefix) || name.starts_with(kTrashPrefix);
    return !hidden || access(name, user) != Access::kOwn ||
           ::fstatat(sessions_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
           ::time(nullptr) - status.st_ctime < kLeftoverAge || is_locked(name);
  });
  return found;
}

Result<v1::Session> Catalog::describe(const std::string& id) const {
  PYC_TRY(SessionDir directory, SessionDir::open(sessions_.get(), id));
  Result<v1::Session> session = directory.read_meta();
  if (session && session->state() == v1::SESSION_STATE_RECORDING && !directory.is_locked()) {
    session = directory.read_meta();  // it may have ended between the two looks
    if (session && session->state() == v1::SESSION_STATE_RECORDING) session->set_state(v1::SESSION_STATE_INTERRUPTED);
  }
  if (!session) {
    ErrorCode code = session.error().code == ErrorCode::kNotFound ? ErrorCode::kCorrupt : session.error().code;
    return fail(code, fmt::format("session {} cannot be read ({}): delete it with `pycroscoped sessions delete {}`", id,
                                  session.error().message, id));
  }
  session->set_id(id);
  session->set_owner_uid(directory.owner());
  const std::optional<gid_t> group = directory.shared_with();
  session->set_shared_with(group ? group_name(*group) : "");
  return session;
}

Result<std::string> Catalog::newest(const StoreUser& user) const {
  PYC_TRY(std::vector<std::string> ids, names());
  std::erase_if(ids, [](const std::string& name) { return !is_session_id(name); });
  std::ranges::sort(ids, std::ranges::greater());
  auto it = std::ranges::find_if(ids, [&](const std::string& id) { return access(id, user) == Access::kOwn; });
  if (it == ids.end())
    return fail(ErrorCode::kNotFound, "there is no session yet: record one with `pycroscoped attach -p PID`");
  return *it;
}

Result<std::string> Catalog::resolve(std::string_view reference, const StoreUser& user) const {
  if (reference.empty() || reference == "latest") return newest(user);
  std::string wanted(reference);
  if (is_session_id(wanted) && access(wanted, user) != Access::kNone) return wanted;
  PYC_TRY(std::vector<std::string> all, ids(user));
  std::ranges::stable_partition(all, [&](const std::string& id) { return access(id, user) == Access::kOwn; });
  for (const std::string& id : all)
    if (Result<v1::Session> session = describe(id); session && session->name() == wanted) return id;
  if (wanted.size() >= kShortestPrefix) {
    std::erase_if(all, [&](const std::string& id) { return !id.starts_with(wanted); });
    if (all.size() == 1) return all[0];
    if (all.size() > 1)
      return fail(ErrorCode::kInvalid,
                  fmt::format("'{}' is the beginning of {} sessions: give more of the id", wanted, all.size()));
  }
  return fail(ErrorCode::kNotFound,
              fmt::format("there is no session '{}': `pycroscoped sessions list` shows them all", wanted));
}

}  // namespace pycroscope

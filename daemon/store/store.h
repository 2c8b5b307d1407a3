// Sessions on disk. A store is a directory, a session a directory in it (keys.h says what is inside):
//
//   STORE/sessions/ID/session.pb   v1::Session, replaced by atomic rename
//   STORE/sessions/ID/lock         flock held by the recorder while it records
//   STORE/sessions/ID/db/          RocksDB
//
// Any number of processes may list, record, read and delete at once. Who owns the directory owns the session. A session
// whose directory its group may enter is shared: the members of that group see it and may change nothing.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/model/events.h"
#include "analysis/model/result.h"
#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

// For whom the store works: sees what belongs to `uid` or is shared with one of `groups`, deletes what belongs to
// `uid`; root sees and deletes all.
struct StoreUser {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups = {};
};

// A recording being written. One owner thread. The destructor without finish() leaves the session as a kill would.
class SessionWriter : public EventSink {
 public:
  // Metadata that is written with the next sync. Counts, losses, bytes, duration are the writer's own.
  virtual v1::Session& session() = 0;
  // Session time now, nanoseconds: what session.duration_ns becomes.
  virtual void set_duration(int64_t duration_ns) = 0;
  // CPU time of the threads that write.
  virtual int64_t cpu_ns() const = 0;
  // Keeps a source file, once; returns its SHA-256. It is stored with the next sync, or left out when there is no room.
  virtual Result<std::string> add_source(FileId file, std::string_view content) = 0;
  // Makes everything so far readable by others and safe against kill -9, and session.pb current. On a full disk:
  // returns kNoSpace, counts what was dropped as lost (disk_full), stays usable.
  virtual Status sync() = 0;
  // Begins a sync, and does not wait for the disk: while it is busy with the one before, what has come since waits for
  // the next call. Called at least each second. Returns how the last one went that has ended since the last call.
  virtual Status sync_soon() = 0;
  // Whether no sync is under way.
  virtual bool settled() = 0;
  // Last sync; state becomes `state`, the lock is released.
  virtual Status finish(v1::SessionState state) = 0;
};

class Store {
 public:
  // Creates the directory (mode 0755 for a shared store, 0700 for a user's) if it does not exist. Fails with a
  // sentence naming the directory.
  static Result<Store> open(std::filesystem::path directory);
  // $PYCROSCOPE_STORE, else $XDG_STATE_HOME/pycroscope, else ~/.local/state/pycroscope of the user (under sudo, of the
  // user who called it).
  static std::filesystem::path default_directory();

  const std::filesystem::path& directory() const { return directory_; }

  // For a service that reads sessions for others: nobody but this process's user can reach the sessions any more, so
  // that nobody can lay something else in their place. kNotPermitted when the store is somebody else's.
  Status keep_others_out() const;

  // A new session, its directory owned by `owner`; fills session.id, format_version, owner_uid, state, started_at,
  // start_monotonic_ns. A name must be printable, without '/', at most 128 bytes, and not an id's form.
  Result<std::unique_ptr<SessionWriter>> create(v1::Session session, const StoreUser& owner);

  struct Listing {
    std::vector<v1::Session> sessions;  // newest first
    std::vector<std::string> problems;
  };
  Result<Listing> list(const StoreUser& user) const;
  // `reference`: an id, a unique prefix of one (>= 4 characters), a name (the newest of that name, of the user's own
  // before those of others), "latest" or "" (of the user's own; of all for root).
  Result<v1::Session> find(std::string_view reference, const StoreUser& user) const;
  Result<std::unique_ptr<EventReader>> read(std::string_view reference, const StoreUser& user) const;

  struct Deleted {
    std::vector<std::string> ids;
    uint64_t bytes = 0;
  };
  // A session that is being recorded is not deleted: kFailed. One of somebody else's neither: kNotPermitted.
  Result<Deleted> remove(std::span<const std::string> references, const StoreUser& user);
  // Keeps the newest `keep`, then deletes the oldest until the rest fits in `max_bytes`. Sessions being recorded
  // count but stay.
  Result<Deleted> prune(std::optional<uint32_t> keep, std::optional<uint64_t> max_bytes, const StoreUser& user);
  // The same of the sessions of one owner, who may be root.
  Result<Deleted> prune_of(uid_t owner, std::optional<uint32_t> keep, std::optional<uint64_t> max_bytes);

  // Lets the members of `group` see a session, or nobody but its owner. Only the owner and root may: kNotPermitted.
  Result<v1::Session> share(std::string_view reference, std::optional<gid_t> group, const StoreUser& user);
  // How many sessions are the user's own.
  Result<size_t> count(const StoreUser& user) const;

  // A copy of a session as it is now, also of one that is being recorded, as a complete one of `owner`'s.
  Result<v1::Session> snapshot(std::string_view reference, const std::string& name, const StoreUser& user,
                               const StoreUser& owner);
  // One file that holds a finished or interrupted session; see pack.h for its format.
  Status pack(std::string_view reference, const StoreUser& user,
              const std::function<Status(std::string_view chunk)>& write) const;
  // Unpacks into the store under the id that it has, or a new id when that is taken. `read` returns "" at the end.
  Result<v1::Session> unpack(const StoreUser& owner, const std::function<Result<std::string>()>& read);
  // Reads a packed file without a store.
  static Result<std::unique_ptr<EventReader>> read_packed(const std::function<Result<std::string>()>& read);

 private:
  explicit Store(std::filesystem::path directory) : directory_(std::move(directory)) {}
  std::filesystem::path directory_;
};

}  // namespace pycroscope

// A session's directory, held by a descriptor: whatever happens to its name meanwhile, these functions stay in it, and
// follow no symbolic link.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "analysis/model/result.h"
#include "daemon/os/fd.h"
#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

inline constexpr const char* kDatabaseName = "db";

// Whether a session's directory is open to its group.
bool is_shared(const struct stat& directory);

class SessionDir {
 public:
  // kNotFound when there is no such directory. `parent`: a descriptor of STORE/sessions.
  static Result<SessionDir> open(int parent, const std::string& name);
  // A new one, mode 0700, with an empty database directory and the lock held.
  static Result<SessionDir> create(int parent, const std::string& name);

  uid_t owner() const { return owner_; }
  // The group whose members may see it.
  std::optional<gid_t> shared_with() const;
  // A path of the database directory which stays right when the session is renamed. Valid as long as this object.
  std::filesystem::path database() const;

  // session.pb as it is; kCorrupt when missing or damaged.
  Result<v1::Session> read_meta() const;
  // Replaces session.pb. `durable`: it is on the disk when this returns. Uses up the reserve when the disk is full.
  Status write_meta(const v1::Session& session, bool durable);

  // Lets the members of `group` see it, or nobody but the owner.
  Status share(std::optional<gid_t> group);

  // Whether a recorder holds the lock.
  bool is_locked() const;
  // The three below are for who created it. Only root can give something away; for others they change nothing.
  //
  // The directory becomes `uid`'s. The database's stays ours, so that nobody can plant a link where we write.
  Status give_directory(uid_t uid, gid_t gid);
  // The database too. Nothing may be written to it afterwards by a more privileged process.
  Status give_database(uid_t uid, gid_t gid);
  // Gives up the room that was kept for the last session.pb.
  void drop_reserve();
  // Ends the recorder's claim.
  void unlock();

  // Bytes on disk of the session's files.
  uint64_t bytes() const;

 private:
  SessionDir(Fd directory, uid_t owner) : directory_(std::move(directory)), owner_(owner) {}
  Fd directory_, database_, lock_;
  uid_t owner_ = 0;
};

}  // namespace pycroscope

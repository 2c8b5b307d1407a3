// Which sessions a store holds, as one user sees them. Others may create and delete sessions meanwhile: what is gone
// when it is looked at was never there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analysis/model/result.h"
#include "daemon/store/session_dir.h"
#include "daemon/store/store.h"

namespace pycroscope {

// STORE/sessions. A hidden name is a session that is being made or removed.
inline constexpr const char* kSessionsName = "sessions";
inline constexpr const char* kNewPrefix = ".new-";
inline constexpr const char* kTrashPrefix = ".trash-";

class Catalog {
 public:
  static Result<Catalog> open(const std::filesystem::path& store);

  int descriptor() const { return sessions_.get(); }
  uid_t owner() const { return owner_; }  // of STORE/sessions

  // Ids of the sessions that `user` sees, newest first; of those that are the user's to change.
  Result<std::vector<std::string>> ids(const StoreUser& user) const;
  Result<std::vector<std::string>> own_ids(const StoreUser& user) const;
  // The last of all ids, whoever may see it; empty: there is none.
  std::string newest_of_all() const;
  // Ids of the sessions of one owner, newest first.
  Result<std::vector<std::string>> ids_of(uid_t owner) const;
  // kNotPermitted when a session is somebody else's.
  Status check_own(const std::string& id, const StoreUser& user) const;
  // Hidden names that nobody holds and nobody has touched for an hour: what a crash left.
  std::vector<std::string> leftovers(const StoreUser& user) const;
  // session.pb with what is derived: id, owner, "interrupted". The sentence of an error names the session.
  Result<v1::Session> describe(const std::string& id) const;
  // The id that a reference means; see Store::find. The session itself may be damaged.
  Result<std::string> resolve(std::string_view reference, const StoreUser& user) const;

 private:
  Catalog(Fd sessions, uid_t owner) : sessions_(std::move(sessions)), owner_(owner) {}
  // What `user` may do with what has this name.
  enum class Access { kNone, kSee, kOwn };
  Access access(const std::string& name, const StoreUser& user) const;
  Result<std::vector<std::string>> ids(const StoreUser& user, Access least) const;
  bool is_locked(const std::string& name) const;
  Result<std::string> newest(const StoreUser& user) const;
  Result<std::vector<std::string>> names() const;

  Fd sessions_;
  uid_t owner_;
};

}  // namespace pycroscope

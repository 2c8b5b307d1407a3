// A session under construction: hidden until it is published, and removed when that does not come.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "analysis/model/result.h"
#include "daemon/store/catalog.h"
#include "daemon/store/database.h"
#include "daemon/store/session_dir.h"
#include "daemon/store/store.h"

namespace pycroscope {

class Draft {
 public:
  // The directory is the owner's, locked by us, with an empty database open. `catalog` outlives the draft.
  static Result<Draft> start(const Catalog& catalog, const StoreUser& owner);
  Draft(Draft&&) = default;
  ~Draft();

  SessionDir& directory() { return *directory_; }
  DatabaseWriter& database() { return *database_; }

  // Makes the session visible under session.id, or under a new id, which is then set, when that is taken or empty.
  Status publish(v1::Session& session);
  // After publish(): what goes on with it.
  SessionDir take_directory();
  std::unique_ptr<DatabaseWriter> take_database() { return std::move(database_); }

 private:
  Draft(const Catalog& catalog, std::string name, SessionDir directory)
      : catalog_(&catalog), name_(std::move(name)), directory_(std::move(directory)) {}

  const Catalog* catalog_;
  std::string name_;  // empty: published
  std::optional<SessionDir> directory_;
  std::unique_ptr<DatabaseWriter> database_;
};

google::protobuf::Timestamp wall_time();

}  // namespace pycroscope

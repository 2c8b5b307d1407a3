#include "daemon/store/draft.h"

#include <stdio.h>

#include <ctime>
#include <utility>

#include "daemon/store/files.h"
#include "daemon/store/session_id.h"

namespace pycroscope {
namespace {

constexpr int kIdAttempts = 100;  // two sessions of the same 1/4096 s choose the same id once in 4096 times

}  // namespace

google::protobuf::Timestamp wall_time() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  google::protobuf::Timestamp time;
  time.set_seconds(now.tv_sec);
  time.set_nanos(static_cast<int32_t>(now.tv_nsec));
  return time;
}

Result<Draft> Draft::start(const Catalog& catalog, const StoreUser& owner) {
  Result<SessionDir> directory = fail(ErrorCode::kInvalid, "");
  std::string name;
  for (int i = 0; !directory && directory.error().code == ErrorCode::kInvalid && i < kIdAttempts; ++i) {
    name = kNewPrefix + new_session_id(wall_time());
    directory = SessionDir::create(catalog.descriptor(), name);
  }
  if (!directory) return std::unexpected(directory.error());
  Draft draft(catalog, std::move(name), *std::move(directory));
  PYC_CHECK(draft.directory_->give_directory(owner.uid, owner.gid));
  // In a store of their own, users may remove by themselves what a killed recorder has left.
  if (catalog.owner() == owner.uid) PYC_CHECK(draft.directory_->give_database(owner.uid, owner.gid));
  PYC_TRY(draft.database_, create_database(draft.directory_->database()));
  return draft;
}

Draft::~Draft() {
  if (!directory_) return;
  database_.reset();
  directory_.reset();
  if (!name_.empty()) static_cast<void>(remove_tree(catalog_->descriptor(), name_));
}

Status Draft::publish(v1::Session& session) {
  session.set_owner_uid(directory_->owner());
  const std::string newest = catalog_->newest_of_all();
  Status renamed = fail(ErrorCode::kInvalid, "");
  for (int i = 0; !renamed && renamed.error().code == ErrorCode::kInvalid && i < kIdAttempts; ++i) {
    if (i > 0 || session.id().empty()) session.set_id(next_session_id(wall_time(), newest));
    PYC_CHECK(directory_->write_meta(session, false));
    // Fails when there is such a session: its directory is not empty.
    int error = ::renameat(catalog_->descriptor(), name_.c_str(), catalog_->descriptor(), session.id().c_str());
    renamed = error == 0 ? Status() : std::unexpected(system_error("cannot create a session"));
  }
  if (renamed) name_.clear();
  return renamed;
}

SessionDir Draft::take_directory() {
  SessionDir taken = *std::move(directory_);
  directory_.reset();
  return taken;
}

}  // namespace pycroscope

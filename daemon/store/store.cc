#include "daemon/store/store.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "daemon/os/clock.h"
#include "daemon/os/user_names.h"
#include "daemon/store/catalog.h"
#include "daemon/store/database.h"
#include "daemon/store/draft.h"
#include "daemon/store/keys.h"
#include "daemon/store/pack.h"
#include "daemon/store/reader.h"
#include "daemon/store/session_dir.h"
#include "daemon/store/session_id.h"
#include "daemon/store/store_directory.h"
#include "daemon/store/writer.h"

namespace pycroscope {
namespace {

// A session's database, together with the directory through which its path goes.
class OpenSession : public DatabaseReader {
 public:
  static Result<std::unique_ptr<DatabaseReader>> open(const Catalog& catalog, const std::string& id) {
    PYC_TRY(SessionDir directory, SessionDir::open(catalog.descriptor(), id));
    Result<std::unique_ptr<DatabaseReader>> database = open_database(directory.database());
    if (!database && database.error().code == ErrorCode::kNotPermitted)
      return fail(ErrorCode::kNotPermitted, fmt::format("session {} is not readable for you: use sudo", id));
    if (!database)
      return fail(ErrorCode::kCorrupt, fmt::format("the events of session {} are missing or damaged beyond reading: "
                                                   "delete it with `pycroscoped sessions delete {}`",
                                                   id, id));
    return std::make_unique<OpenSession>(std::move(directory), *std::move(database));
  }
  OpenSession(SessionDir directory, std::unique_ptr<DatabaseReader> database)
      : directory_(std::move(directory)), database_(std::move(database)) {}

  Result<std::string> get(std::string_view key) const override { return database_->get(key); }
  Status scan(std::string_view prefix,
              const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    return database_->scan(prefix, visit);
  }

 private:
  SessionDir directory_;
  std::unique_ptr<DatabaseReader> database_;
};

// A finished session in the making, entry by entry.
class Copy {
 public:
  static Result<Copy> start(const Catalog& catalog, const StoreUser& owner) {
    PYC_TRY(Draft draft, Draft::start(catalog, owner));
    return Copy(std::move(draft), owner);
  }

  Status add(std::string_view key, std::string_view value) {
    batch_.push_back({std::string(key), std::string(value)});
    batch_bytes_ += value.size();
    return batch_bytes_ < kBatchBytes ? Status() : flush();
  }

  // Makes it visible; sets what depends on the place.
  Status publish(v1::Session& session) {
    PYC_CHECK(flush());
    PYC_CHECK(draft_.take_database()->close());
    PYC_CHECK(draft_.directory().give_database(owner_.uid, owner_.gid));
    draft_.directory().drop_reserve();
    session.set_bytes(draft_.directory().bytes());
    return draft_.publish(session);
  }

 private:
  static constexpr size_t kBatchBytes = size_t{1} << 20;

  Copy(Draft draft, const StoreUser& owner) : draft_(std::move(draft)), owner_(owner) {}

  Status flush() {
    batch_bytes_ = 0;
    return draft_.database().write(std::exchange(batch_, {}), false);
  }

  Draft draft_;
  StoreUser owner_;
  std::vector<KeyValue> batch_;
  size_t batch_bytes_ = 0;
};

}  // namespace

Result<Store> Store::open(std::filesystem::path directory) {
  PYC_CHECK(make_store_directory(directory));
  return Store(std::move(directory));
}

Status Store::keep_others_out() const {
  PYC_TRY(const Catalog catalog, Catalog::open(directory_));
  if (catalog.owner() == ::geteuid() && ::fchmod(catalog.descriptor(), 0700) == 0) return {};
  return fail(ErrorCode::kNotPermitted,
              fmt::format("the store {} belongs to user {}: a service for all needs one of its own, choose another "
                          "--store",
                          directory_.string(), user_name(catalog.owner())));
}

std::filesystem::path Store::default_directory() { return default_store_directory(); }

Result<std::unique_ptr<SessionWriter>> Store::create(v1::Session session, const StoreUser& owner) {
  PYC_CHECK(check_session_name(session.name()));
  PYC_TRY(Catalog catalog, Catalog::open(directory_));
  PYC_TRY(Draft draft, Draft::start(catalog, owner));
  session.clear_id();
  session.set_format_version(kFormatVersion);
  session.set_state(v1::SESSION_STATE_RECORDING);
  *session.mutable_started_at() = wall_time();
  session.set_start_monotonic_ns(monotonic_ns());
  PYC_CHECK(draft.publish(session));
  return make_writer(std::move(session), draft.take_directory(), draft.take_database(), owner);
}

Result<Store::Listing> Store::list(const StoreUser& user) const {
  PYC_TRY(Catalog catalog, Catalog::open(directory_));
  PYC_TRY(std::vector<std::string> ids, catalog.ids(user));
  Listing listing;
  for (const std::string& id : ids) {
    Result<v1::Session> session = catalog.describe(id);
    if (session)
      listing.sessions.push_back(*std::move(session));
    else if (session.error().code != ErrorCode::kNotFound)
      listing.problems.push_back(session.error().message);
  }
  return listing;
}

Result<v1::Session> Store::find(std::string_view reference, const StoreUser& user) const {
  PYC_TRY(Catalog catalog, Catalog::open(directory_));
  PYC_TRY(std::string id, catalog.resolve(reference, user));
  return catalog.describe(id);
}

Result<std::unique_ptr<EventReader>> Store::read(std::string_view reference, const StoreUser& user) const {
  PYC_TRY(Catalog catalog, Catalog::open(directory_));
  PYC_TRY(std::string id, catalog.resolve(reference, user));
  // In this order: the database then has at least what the description counts.
  PYC_TRY(v1::Session session, catalog.describe(id));
  PYC_TRY(std::unique_ptr<DatabaseReader> database, OpenSession::open(catalog, id));
  return make_reader(std::move(session), std::move(database));
}

Result<std::unique_ptr<EventReader>> Store::read_packed(const std::function<Result<std::string>()>& read) {
  auto database = std::make_unique<MemoryDatabase>();
  PYC_TRY(v1::Session session, read_pack(read, [&](std::string_view key, std::string_view value) {
            database->put(key, value);
            return Status();
          }));
  return make_reader(std::move(session), std::move(database));
}

Status Store::pack(std::string_view reference, const StoreUser& user,
                   const std::function<Status(std::string_view chunk)>& write) const {
  PYC_TRY(Catalog catalog, Catalog::open(directory_));
  PYC_TRY(std::string id, catalog.resolve(reference, user));
  PYC_TRY(v1::Session session, catalog.describe(id));
  if (session.state() == v1::SESSION_STATE_RECORDING)
    return fail(ErrorCode::kFailed, fmt::format("session {} is still being recorded: stop it first", id));
  PYC_TRY(std::unique_ptr<DatabaseReader> database, OpenSession::open(catalog, id));
  return write_pack(session, *database, write);
}

Result<v1::Session> Store::unpack(const StoreUser& owner, const std::function<Result<std::string>()>& read) {
  PYC_TRY(Catalog catalog, Catalog::open(directory_));
  PYC_TRY(Copy copy, Copy::start(catalog, owner));
  PYC_TRY(v1::Session session, read_pack(read, [&](auto... entry) { return copy.add(entry...); }));
  // What comes from a clock that is ahead of ours would stand before all that we record ourselves.
  if (session.id() > new_session_id(wall_time())) session.clear_id();
  PYC_CHECK(copy.publish(session));
  return session;
}

Result<v1::Session> Store::snapshot(std::string_view reference, const std::string& name, const StoreUser& user,
                                    const StoreUser& owner) {
  PYC_CHECK(check_session_name(name));
  PYC_TRY(Catalog catalog, Catalog::open(directory_));
  PYC_TRY(std::string id, catalog.resolve(reference, user));
  // In this order: the database then has at least what the description counts.
  PYC_TRY(v1::Session session, catalog.describe(id));
  PYC_TRY(const std::shared_ptr<DatabaseReader> database, OpenSession::open(catalog, id));
  PYC_TRY(Copy copy, Copy::start(catalog, owner));
  for (const KeyKind& kind : kAllKeyKinds) {
    Status copied;
    PYC_CHECK(database->scan(key_prefix(kind), [&](auto... entry) {
      copied = copy.add(entry...);
      return copied.has_value();
    }));
    PYC_CHECK(copied);
  }
  PYC_TRY(const std::unique_ptr<EventReader> reader, make_reader(std::move(session), database));
  session = reader->session();
  session.clear_id();
  session.set_name(name);
  session.set_state(v1::SESSION_STATE_COMPLETE);
  session.set_end_reason("snapshot");
  session.clear_shared_with();
  PYC_CHECK(copy.publish(session));
  return session;
}

Result<v1::Session> Store::share(std::string_view reference, std::optional<gid_t> group, const StoreUser& user) {
  PYC_TRY(Catalog catalog, Catalog::open(directory_));
  PYC_TRY(std::string id, catalog.resolve(reference, user));
  PYC_CHECK(catalog.check_own(id, user));
  PYC_TRY(SessionDir directory, SessionDir::open(catalog.descriptor(), id));
  PYC_CHECK(directory.share(group));
  return catalog.describe(id);
}

Result<size_t> Store::count(const StoreUser& user) const {
  PYC_TRY(Catalog catalog, Catalog::open(directory_));
  PYC_TRY(const std::vector<std::string> ids, catalog.own_ids(user));
  return ids.size();
}

}  // namespace pycroscope

// Store::remove and Store::prune.
#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "daemon/store/catalog.h"
#include "daemon/store/files.h"
#include "daemon/store/store.h"

namespace pycroscope {
namespace {

// Nothing, when somebody else was faster.
Result<std::optional<uint64_t>> remove_session(const Catalog& catalog, const std::string& id) {
  Result<SessionDir> directory = SessionDir::open(catalog.descriptor(), id);
  if (directory && directory->is_locked())
    return fail(ErrorCode::kFailed, fmt::format("session {} is being recorded: stop it first", id));
  std::string trash = fmt::format("{}{}-{:08x}", kTrashPrefix, id, std::random_device{}());
  if (::renameat(catalog.descriptor(), id.c_str(), catalog.descriptor(), trash.c_str()) != 0) {
    if (errno == ENOENT) return std::nullopt;
    Error error = system_error(fmt::format("cannot delete session {}", id));
    return fail(error.code, error.message + (error.code == ErrorCode::kNotPermitted ? "; use sudo" : ""));
  }
  PYC_TRY(uint64_t freed, remove_tree(catalog.descriptor(), trash));
  return freed;
}

Result<Store::Deleted> remove_all(const Catalog& catalog, const std::vector<std::string>& ids) {
  Store::Deleted deleted;
  for (const std::string& id : ids) {
    PYC_TRY(std::optional<uint64_t> freed, remove_session(catalog, id));
    if (!freed) continue;
    deleted.ids.push_back(id);
    deleted.bytes += *freed;
  }
  return deleted;
}

struct Candidate {
  std::string id;
  uint64_t bytes = 0;
  bool recording = false;
};

// Sessions that cannot be described are candidates too; their files are counted.
std::vector<Candidate> candidates(const Catalog& catalog, const std::vector<std::string>& ids) {
  std::vector<Candidate> found;
  for (const std::string& id : ids) {
    Result<v1::Session> session = catalog.describe(id);
    if (session) {
      found.push_back({id, session->bytes(), session->state() == v1::SESSION_STATE_RECORDING});
      continue;
    }
    Result<SessionDir> directory = SessionDir::open(catalog.descriptor(), id);
    if (directory) found.push_back({id, directory->bytes(), directory->is_locked()});
  }
  return found;
}

// Of sessions, newest first: which ones have to go.
std::vector<std::string> surplus(const std::vector<Candidate>& sessions, std::optional<uint32_t> keep,
                                 std::optional<uint64_t> max_bytes) {
  uint64_t total = 0;
  for (const Candidate& session : sessions) total += session.bytes;
  std::vector<std::string> doomed;
  for (size_t i = sessions.size(); i-- > 0;) {
    bool too_many = keep && i >= *keep;
    bool too_large = max_bytes && total > *max_bytes;
    if (sessions[i].recording || !(too_many || too_large)) continue;
    doomed.push_back(sessions[i].id);
    total -= sessions[i].bytes;
  }
  return doomed;
}

}  // namespace

Result<Store::Deleted> Store::remove(std::span<const std::string> references, const StoreUser& user) {
  PYC_TRY(Catalog catalog, Catalog::open(directory_));
  std::vector<std::string> ids;
  for (const std::string& reference : references) {
    PYC_TRY(std::string id, catalog.resolve(reference, user));
    PYC_CHECK(catalog.check_own(id, user));
    if (std::ranges::find(ids, id) == ids.end()) ids.push_back(std::move(id));
  }
  return remove_all(catalog, ids);
}

Result<Store::Deleted> Store::prune(std::optional<uint32_t> keep, std::optional<uint64_t> max_bytes,
                                    const StoreUser& user) {
  PYC_TRY(Catalog catalog, Catalog::open(directory_));
  PYC_TRY(std::vector<std::string> ids, catalog.own_ids(user));
  for (const std::string& name : catalog.leftovers(user)) static_cast<void>(remove_tree(catalog.descriptor(), name));
  return remove_all(catalog, surplus(candidates(catalog, ids), keep, max_bytes));
}

Result<Store::Deleted> Store::prune_of(uid_t owner, std::optional<uint32_t> keep, std::optional<uint64_t> max_bytes) {
  PYC_TRY(Catalog catalog, Catalog::open(directory_));
  PYC_TRY(std::vector<std::string> ids, catalog.ids_of(owner));
  return remove_all(catalog, surplus(candidates(catalog, ids), keep, max_bytes));
}

}  // namespace pycroscope

// The engine's calls about sessions that exist already.
#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "analysis/export/export.h"
#include "analysis/passes/pass.h"
#include "daemon/session/cancellable_reader.h"
#include "daemon/session/engine.h"
#include "daemon/session/event_page.h"
#include "daemon/session/sharing.h"

namespace pycroscope {
namespace {

v1::DeleteSessionsResponse response_of(Store::Deleted deleted) {
  v1::DeleteSessionsResponse response;
  for (std::string& id : deleted.ids) response.add_deleted(std::move(id));
  response.set_freed_bytes(deleted.bytes);
  return response;
}

}  // namespace

Result<v1::ListSessionsResponse> Engine::list_sessions(const Caller& caller) const {
  PYC_TRY(Store::Listing listing, store_.list(caller.store_user()));
  v1::ListSessionsResponse response;
  for (v1::Session& session : listing.sessions) *response.add_sessions() = std::move(session);
  for (std::string& problem : listing.problems) response.add_problems(std::move(problem));
  return response;
}

Result<v1::Session> Engine::get_session(const Caller& caller, const std::string& session) const {
  return store_.find(session, caller.store_user());
}

Result<v1::DeleteSessionsResponse> Engine::delete_sessions(const Caller& caller,
                                                           const v1::DeleteSessionsRequest& request) {
  const std::vector<std::string> references(request.sessions().begin(), request.sessions().end());
  if (references.empty()) return fail(ErrorCode::kInvalid, "no session was named: say which ones to delete");
  PYC_TRY(Store::Deleted deleted, store_.remove(references, caller.store_user()));
  tell_of_store_change();
  return response_of(std::move(deleted));
}

Result<v1::DeleteSessionsResponse> Engine::prune_sessions(const Caller& caller,
                                                          const v1::PruneSessionsRequest& request) {
  if (!request.has_keep() && !request.has_max_bytes()) {
    return fail(ErrorCode::kInvalid, "nothing says what to keep: give --keep, --max-size or both");
  }
  const auto keep = request.has_keep() ? std::optional(request.keep()) : std::nullopt;
  const auto max_bytes = request.has_max_bytes() ? std::optional(request.max_bytes()) : std::nullopt;
  PYC_TRY(Store::Deleted deleted, store_.prune(keep, max_bytes, caller.store_user()));
  tell_of_store_change();
  return response_of(std::move(deleted));
}

Status Engine::pack_session(const Caller& caller, const std::string& session, const ChunkSink& sink) const {
  return store_.pack(session, caller.store_user(), sink);
}

Result<v1::Session> Engine::unpack_session(const Caller& caller, const std::function<Result<std::string>()>& read) {
  PYC_CHECK(check_quota(caller));
  const uid_t owner = caller.session_owner.uid;
  const bool limited = policy_ && policy_->bytes_per_user && owner != 0;
  uint64_t room = limited ? *policy_->bytes_per_user - std::min(bytes_of(owner), *policy_->bytes_per_user) : 0;
  const auto read_within_quota = [&]() -> Result<std::string> {
    PYC_TRY(std::string chunk, read());
    if (limited && chunk.size() > room) {
      return fail(ErrorCode::kNoSpace,
                  "the packed session does not fit in what the service keeps of your sessions: "
                  "delete some, e.g. with `pycroscoped sessions prune --keep 20`");
    }
    room -= limited ? chunk.size() : 0;
    return chunk;
  };
  Result<v1::Session> session = store_.unpack(caller.session_owner, read_within_quota);
  tell_of_store_change();
  return session;
}

Result<v1::Session> Engine::share_session(const Caller& caller, const v1::ShareSessionRequest& request) {
  PYC_TRY(const std::optional<gid_t> group, group_to_share_with(caller, request.group()));
  return store_.share(request.session(), group, caller.store_user());
}

Result<v1::Session> Engine::snapshot_session(const Caller& caller, const v1::SnapshotSessionRequest& request) {
  PYC_CHECK(check_quota(caller));
  Result<v1::Session> session =
      store_.snapshot(request.session(), request.name(), caller.store_user(), caller.session_owner);
  tell_of_store_change();
  return session;
}

Result<std::unique_ptr<EventReader>> Engine::read(const Caller& caller, const std::string& session,
                                                  const Cancelled& cancelled) const {
  PYC_TRY(std::unique_ptr<EventReader> reader, store_.read(session, caller.store_user()));
  return make_cancellable(std::move(reader), cancelled);
}

Result<v1::View> Engine::view(const Caller& caller, const v1::ViewRequest& request, const Cancelled& cancelled) const {
  PYC_TRY(const std::unique_ptr<EventReader> reader, read(caller, request.session(), cancelled));
  return compute_view(*reader, request);
}

Result<v1::EventPage> Engine::events(const Caller& caller, const v1::ListEventsRequest& request,
                                     const Cancelled& cancelled) const {
  PYC_TRY(const std::unique_ptr<EventReader> reader, read(caller, request.session(), cancelled));
  return event_page(*reader, request);
}

Result<std::string> Engine::source(const Caller& caller, const v1::GetSourceRequest& request) const {
  PYC_TRY(const std::unique_ptr<EventReader> reader, store_.read(request.session(), caller.store_user()));
  return reader->source(request.content_hash());
}

Status Engine::export_session(const Caller& caller, const v1::ExportRequest& request, const ChunkSink& sink,
                              const Cancelled& cancelled) const {
  PYC_TRY(const std::unique_ptr<EventReader> reader, read(caller, request.session(), cancelled));
  // Exports write line by line; a message for each would cost more than its content.
  constexpr size_t kChunk = 256 << 10;
  std::string chunk;
  PYC_CHECK(pycroscope::export_session(*reader, request, [&](std::string_view piece) -> Status {
    chunk += piece;
    if (chunk.size() < kChunk) return {};
    const std::string full = std::exchange(chunk, {});
    return sink(full);
  }));
  return chunk.empty() ? Status() : sink(chunk);
}

}  // namespace pycroscope

#include "client/cli/recording.h"

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

namespace pycroscope {
namespace {

using google::protobuf::util::TimeUtil;

// It went live just when the user gave up.
void discard(const Connection& connection, const std::string& session) {
  v1::StopRecordingRequest stop;
  stop.set_session(session);
  (void)connection.call(&Connection::Api::StopRecording, stop);
  v1::DeleteSessionsRequest request;
  request.add_sessions(session);
  (void)connection.call(&Connection::Api::DeleteSessions, request);
}

}  // namespace

v1::AttachRequest make_attach_request(const RecordOptions& options) {
  v1::AttachRequest request;
  request.set_pid(options.pid);
  request.set_name(options.name);
  request.mutable_config()->set_mode(options.mode);
  request.mutable_config()->set_sampler(options.sampler);
  for (const std::string& what : options.trace) request.mutable_config()->add_trace(what);
  for (const std::string& glob : options.include) request.mutable_config()->add_include(glob);
  for (const std::string& glob : options.exclude) request.mutable_config()->add_exclude(glob);
  request.mutable_config()->set_on_full(options.on_full);
  request.mutable_config()->set_max_hits(options.max_hits);
  request.mutable_config()->set_rate_hz(options.rate_hz);
  request.mutable_config()->set_max_cpu_percent(options.max_cpu_percent);
  request.mutable_config()->set_max_memory_bytes(options.max_memory_bytes);
  request.mutable_config()->set_max_bytes(options.max_bytes);
  request.mutable_config()->set_max_events(options.max_events);
  if (options.keep_raw)
    *request.mutable_config()->mutable_keep_raw() = TimeUtil::NanosecondsToDuration(options.keep_raw->count());
  request.set_share(options.share);
  if (options.ring) *request.mutable_config()->mutable_ring() = TimeUtil::NanosecondsToDuration(options.ring->count());
  if (options.duration) {
    *request.mutable_config()->mutable_duration() = TimeUtil::NanosecondsToDuration(options.duration->count());
  }
  return request;
}

Status check_ended_well(const v1::Session& session) {
  std::string why = session.failure();
  if (session.state() == v1::SESSION_STATE_INTERRUPTED) why = session.end_reason();
  if (session.end_reason() == "quota") why = "your sessions take all the room that the service keeps for them";
  if (why.empty()) return {};
  return fail(ErrorCode::kFailed,
              fmt::format("the recording ended early: {}; session {} holds what came before", why, session.id()));
}

Result<v1::Session> RecordingClient::snapshot() {
  const std::lock_guard lock(mutex_);  // run() must not return with it under way
  if (live_session_.empty() || connection_ == nullptr) return fail(ErrorCode::kFailed, "the recording is not live");
  v1::SnapshotSessionRequest request;
  request.set_session(live_session_);
  return connection_->call(&Connection::Api::SnapshotSession, request);
}

bool RecordingClient::begin(const Connection& connection, grpc::ClientContext& context) {
  const std::lock_guard lock(mutex_);
  connection_ = &connection;
  context_ = &context;
  return !interrupted_;
}

bool RecordingClient::end() {
  const std::lock_guard lock(mutex_);
  connection_ = nullptr;
  context_ = nullptr;
  return !interrupted_ || !live_session_.empty();
}

bool RecordingClient::set_live(const std::string& session) {
  const std::lock_guard lock(mutex_);
  if (interrupted_) return false;
  live_session_ = session;
  return true;
}

void RecordingClient::interrupt() {
  const std::lock_guard lock(mutex_);  // until the call is over: run() must not return with it under way
  interrupted_ = true;
  if (context_ == nullptr) return;
  if (live_session_.empty()) {
    context_->TryCancel();
    return;
  }
  v1::StopRecordingRequest request;
  request.set_session(live_session_);
  (void)connection_->call(&Connection::Api::StopRecording, request);
}

Result<RecordingClient::Outcome> RecordingClient::run(
    const Connection& connection, const v1::AttachRequest& request,
    const std::function<void(const v1::RecordingUpdate&)>& on_update) {
  grpc::ClientContext context;
  if (!begin(connection, context)) return Outcome{{}, true};
  const auto reader = connection.api().Attach(&context, request);
  v1::RecordingUpdate update;
  Outcome outcome;
  while (reader->Read(&update)) {
    if (update.live()) outcome.never_live = !set_live(update.session().id());
    outcome.session = update.session();
    if (!outcome.never_live) on_update(update);
  }
  const grpc::Status status = reader->Finish();
  if (!end()) {
    if (!outcome.session.id().empty()) discard(connection, outcome.session.id());
    return Outcome{{}, true};
  }
  if (!status.ok()) return std::unexpected(from_grpc(status, context));
  return outcome;
}

}  // namespace pycroscope

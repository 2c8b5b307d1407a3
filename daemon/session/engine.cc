#include "daemon/session/engine.h"

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

#include "daemon/python/dump.h"
#include "daemon/session/caller_pids.h"
#include "daemon/session/diagnosis.h"
#include "daemon/session/permission.h"
#include "daemon/session/processes.h"
#include "daemon/session/recording_config.h"
#include "daemon/session/thread_rights.h"

namespace pycroscope {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kDefaultInterval{1000}, kShortestInterval{50}, kLongestInterval{3'600'000};

Recording::Follow follow_options(bool has_interval, const google::protobuf::Duration& interval, bool top) {
  milliseconds wanted = kDefaultInterval;
  if (has_interval && check_duration(interval, "interval")) {
    wanted = milliseconds(google::protobuf::util::TimeUtil::DurationToMilliseconds(interval));
  }
  return {.interval = std::clamp(wanted, kShortestInterval, kLongestInterval), .top = top};
}

// By a thread of its own, which has the caller's rights and no other.
Result<v1::DumpResponse> dump_core_file(const Caller& caller, const v1::DumpRequest& request) {
  Result<v1::DumpResponse> dumped;
  const auto read = [&]() -> Result<v1::DumpResponse> {
    PYC_CHECK(take_rights_of(caller));
    PYC_TRY(const CoreFile core, CoreFile::open(request.core()));
    return dump_core(core, request.executable(), {.locals = request.locals()});
  };
  std::thread([&] { dumped = read(); }).join();
  return dumped;
}

bool may_control(const Caller& caller, const Recording& recording) {
  return caller.root() || recording.owner() == caller.uid;
}

}  // namespace

Engine::Engine(Store store) : store_(std::move(store)) {}

Engine::~Engine() {
  std::vector<std::shared_ptr<Recording>> recordings;
  {
    const std::lock_guard lock(mutex_);
    recordings.swap(recordings_);
  }
  // All are asked before the first is waited for.
  for (const auto& recording : recordings) recording->stop();
}

Result<v1::GetVersionResponse> Engine::version(const Caller&) const {
  v1::GetVersionResponse response;
  response.set_version(PYC_VERSION);
  response.set_pid(::getpid());
  response.set_store(store_.directory().string());
  return response;
}

Result<v1::ListProcessesResponse> Engine::list_processes(const Caller& caller) const {
  return python_processes(caller, recordings_of(caller));
}

Status Engine::add_recording(std::shared_ptr<Recording> recording) {
  std::vector<std::shared_ptr<Recording>> finished;  // joined outside the lock
  const std::lock_guard lock(mutex_);
  const auto running = std::ranges::partition(recordings_, [](const auto& r) { return !r->finished(); });
  finished.assign(running.begin(), running.end());
  recordings_.erase(running.begin(), running.end());
  if (ending_) return fail(ErrorCode::kUnavailable, "the service is stopping: try again when it runs again");
  const auto own = std::ranges::count_if(recordings_, [&](const auto& r) { return r->owner() == recording->owner(); });
  const bool limited = policy_ && recording->owner() != 0;
  if (limited && static_cast<size_t>(own) >= policy_->recordings_per_user) {
    return fail(ErrorCode::kFailed,
                fmt::format("{} of your recordings are running already: stop one before you start another", own));
  }
  recordings_.push_back(std::move(recording));
  return {};
}

std::unordered_map<pid_t, std::string> Engine::recordings_of(const Caller& caller) const {
  std::unordered_map<pid_t, std::string> running;
  const std::lock_guard lock(mutex_);
  for (const auto& recording : recordings_) {
    if (may_control(caller, *recording) && !recording->finished()) running.emplace(recording->pid(), recording->id());
  }
  return running;
}

Result<std::shared_ptr<Recording>> Engine::find_recording(const Caller& caller, const std::string& reference) const {
  PYC_TRY(const v1::Session session, store_.find(reference, caller.store_user()));
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(recordings_, session.id(), &Recording::id);
  if (found != recordings_.end()) return *found;
  if (session.state() != v1::SESSION_STATE_RECORDING) return nullptr;
  return fail(ErrorCode::kFailed,
              fmt::format("session {} is being recorded by another command: end it there", session.id()));
}

Result<std::shared_ptr<Recording>> Engine::start_recording(const Caller& caller, const v1::AttachRequest& request,
                                                           const Result<pid_t>& pid, const Cancelled& cancelled) {
  if (!pid) return std::unexpected(pid.error());
  PYC_CHECK(check_quota(caller));
  v1::AttachRequest translated = request;
  translated.set_pid(*pid);
  PYC_TRY(std::shared_ptr<Recording> recording,
          Recording::start(store_, samplers_, caller, translated, terms_for(caller.session_owner.uid)));
  const Status added = cancelled() ? fail(ErrorCode::kFailed, "the request was cancelled") : add_recording(recording);
  if (added) return recording;
  recording->discard();
  static_cast<void>(recording->wait());
  return std::unexpected(added.error());
}

Status Engine::attach(const Caller& caller, const v1::AttachRequest& request, const UpdateSink& sink,
                      const Cancelled& cancelled) {
  const Result<pid_t> pid = pid_from_caller(caller, request.pid());
  const auto started = start_recording(caller, request, pid, cancelled);
  if (audit_) {
    const Status outcome = started ? Status() : std::unexpected(started.error());
    audit_->write("attach", caller, pid.value_or(request.pid()), started ? (*started)->id() : "", outcome);
  }
  PYC_TRY(const std::shared_ptr<Recording> recording, started);
  if (request.detached()) {
    sink(recording->live_update());
    return {};
  }
  Recording::Follow how =
      follow_options(request.has_progress_interval(), request.progress_interval(), request.progress_top());
  how.say_live = true;
  PYC_TRY(const Recording::FollowEnd end, recording->follow(how, sink, cancelled));
  if (end == Recording::FollowEnd::kReceiverGone) {
    recording->stop();
    static_cast<void>(recording->wait());
  }
  return {};
}

Result<v1::Session> Engine::stop_recording(const Caller& caller, const std::string& session) {
  PYC_TRY(const std::shared_ptr<Recording> recording, find_recording(caller, session));
  if (!recording) return store_.find(session, caller.store_user());
  if (!may_control(caller, *recording)) {
    return fail(
        ErrorCode::kNotPermitted,
        fmt::format("session {} is shared with you and not yours: only its owner and root may end it", session));
  }
  recording->stop();
  return recording->wait();
}

Status Engine::watch_recording(const Caller& caller, const v1::WatchRecordingRequest& request, const UpdateSink& sink,
                               const Cancelled& cancelled) {
  PYC_TRY(const std::shared_ptr<Recording> recording, find_recording(caller, request.session()));
  if (!recording) {
    v1::RecordingUpdate update;
    PYC_TRY(*update.mutable_session(), store_.find(request.session(), caller.store_user()));
    update.set_finished(true);
    sink(update);
    return {};
  }
  const Recording::Follow how =
      follow_options(request.has_progress_interval(), request.progress_interval(), request.progress_top());
  PYC_TRY([[maybe_unused]] const Recording::FollowEnd end, recording->follow(how, sink, cancelled));
  return {};
}

Result<v1::DumpResponse> Engine::dump(const Caller& caller, const v1::DumpRequest& request) const {
  if (!request.core().empty()) return dump_core_file(caller, request);
  const Result<pid_t> pid = pid_from_caller(caller, request.pid());
  Result<v1::DumpResponse> dumped = pid ? dump_process(caller, *pid, request) : std::unexpected(pid.error());
  const Status outcome = dumped ? Status() : std::unexpected(dumped.error());
  if (audit_) audit_->write("dump", caller, pid.value_or(request.pid()), "", outcome);
  return dumped;
}

Result<v1::DumpResponse> Engine::dump_process(const Caller& caller, pid_t pid, const v1::DumpRequest& request) const {
  PYC_TRY(const Process process, Process::open(pid));
  PYC_CHECK(check_attach(caller, process));
  Result<v1::DumpResponse> dumped = dump_stacks(process, {.locals = request.locals()});
  if (!dumped && !process.alive()) {
    return fail(ErrorCode::kTargetGone, fmt::format("process {} ended before its stacks were read", request.pid()));
  }
  // What was read of a process that has changed its identity meanwhile is not shown.
  if (dumped) PYC_CHECK(check_attach(caller, process));
  return dumped;
}

Result<v1::DiagnoseResponse> Engine::diagnose(const Caller& caller, const v1::DiagnoseRequest& request) const {
  v1::DiagnoseResponse response;
  check_machine(response);
  check_store(store_.directory(), response);
  add_service_checks(caller, response);
  if (request.pid() == 0) return response;
  PYC_TRY(const pid_t pid, pid_from_caller(caller, request.pid()));
  check_target(caller, pid, response);
  return response;
}

}  // namespace pycroscope

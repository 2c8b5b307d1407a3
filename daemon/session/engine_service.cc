// What an engine does for a service with many users: quotas, retention, the end.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "daemon/os/user_names.h"
#include "daemon/python/process_list.h"
#include "daemon/session/engine.h"
#include "daemon/session/permission.h"

namespace pycroscope {
namespace {

std::string megabytes(uint64_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6); }

void add(v1::DiagnoseResponse& response, std::string_view name, bool ok, std::string finding,
         std::string_view remedy = "") {
  v1::Check& check = *response.add_checks();
  check.set_name(std::string(name));
  check.set_outcome(ok ? v1::Check::OUTCOME_OK : v1::Check::OUTCOME_LIMITED);
  check.set_finding(std::move(finding));
  check.set_remedy(std::string(remedy));
}

}  // namespace

void Engine::begin_service(const ServicePolicy& policy, std::shared_ptr<spdlog::logger> audit) {
  policy_ = policy;
  audit_ = std::make_unique<AuditLog>(std::move(audit));
  samplers_.keep_ready();
  housekeeper_ = std::make_unique<Housekeeper>(store_, *policy_, [this] { end_what_exceeds_its_quota(); });
}

void Engine::end_service() {
  std::vector<std::shared_ptr<Recording>> recordings;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    recordings = recordings_;
  }
  for (const auto& recording : recordings) recording->stop(Recorder::kServiceStopped);
  for (const auto& recording : recordings) static_cast<void>(recording->wait());
}

size_t Engine::running_of(uid_t owner) const {
  const std::lock_guard lock(mutex_);
  return static_cast<size_t>(
      std::ranges::count_if(recordings_, [&](const auto& r) { return r->owner() == owner && !r->finished(); }));
}

uint64_t Engine::bytes_of(uid_t owner) const {
  uint64_t bytes = housekeeper_ ? housekeeper_->stored_bytes(owner) : 0;
  const std::lock_guard lock(mutex_);
  for (const auto& recording : recordings_) {
    if (recording->owner() == owner && !recording->finished()) bytes += recording->bytes();
  }
  return bytes;
}

RecordingTerms Engine::terms_for(uid_t owner) {
  if (!policy_) return {};
  RecordingTerms terms{.max_memory_bytes = policy_->max_memory_bytes, .on_end = [this] { tell_of_store_change(); }};
  if (owner != 0) {
    terms.allowance = [this, owner] {
      return policy_->cpu_percent_per_user / static_cast<double>(std::max<size_t>(1, running_of(owner)));
    };
  }
  return terms;
}

Status Engine::check_quota(const Caller& caller) const {
  const uid_t owner = caller.session_owner.uid;
  if (!policy_ || owner == 0) return {};
  if (policy_->bytes_per_user && bytes_of(owner) >= *policy_->bytes_per_user) {
    return fail(ErrorCode::kNoSpace,
                fmt::format("your sessions take {} and the service keeps {} of each user's: delete some, e.g. with "
                            "`pycroscoped sessions prune --keep 20`",
                            megabytes(bytes_of(owner)), megabytes(*policy_->bytes_per_user)));
  }
  if (!policy_->sessions_per_user) return {};
  PYC_TRY(const size_t sessions, store_.count({owner, caller.session_owner.gid}));
  if (sessions < *policy_->sessions_per_user) return {};
  return fail(ErrorCode::kNoSpace,
              fmt::format("you have {} sessions, as many as the service keeps of each user's: delete some, e.g. with "
                          "`pycroscoped sessions prune --keep 20`",
                          sessions));
}

void Engine::end_what_exceeds_its_quota() {
  if (!policy_->bytes_per_user) return;
  std::vector<std::shared_ptr<Recording>> recordings;
  {
    const std::lock_guard lock(mutex_);
    recordings = recordings_;
  }
  for (const auto& recording : recordings) {
    const bool exceeds = recording->owner() != 0 && bytes_of(recording->owner()) > *policy_->bytes_per_user;
    if (exceeds && !recording->finished()) recording->stop(Recorder::kQuota);
  }
}

void Engine::tell_of_store_change() {
  if (housekeeper_) housekeeper_->store_changed();
}

void Engine::add_service_checks(const Caller& caller, v1::DiagnoseResponse& response) const {
  if (!policy_) return;
  if (caller.root()) return add(response, "quota", true, "the service sets root no quotas");
  const uid_t owner = caller.session_owner.uid;
  const size_t running = running_of(owner), most_running = policy_->recordings_per_user;
  add(response, "recordings", running < most_running,
      fmt::format("{} of your recordings run; the service runs {} of each user at once, with {:g} % of a core for all "
                  "of them",
                  running, most_running, policy_->cpu_percent_per_user),
      running < most_running ? "" : "end one before you begin another");
  const Status room = check_quota(caller);
  const size_t sessions = store_.count({owner, caller.session_owner.gid}).value_or(0);
  const auto limit = [](auto value, auto text) { return value ? " of " + text(*value) : std::string(); };
  add(response, "sessions", room.has_value(),
      fmt::format("you have {}{} sessions, which take {}{}", sessions,
                  limit(policy_->sessions_per_user, [](size_t most) { return std::to_string(most); }),
                  megabytes(bytes_of(owner)), limit(policy_->bytes_per_user, megabytes)),
      room ? "" : "delete some, e.g. with `pycroscoped sessions prune --keep 20`");
  if (policy_->keep || policy_->max_bytes) {
    std::string kept = policy_->keep ? fmt::format("your newest {} sessions", *policy_->keep) : "your newest sessions";
    if (policy_->max_bytes) kept += ", as far as they fit in " + megabytes(*policy_->max_bytes);
    add(response, "retention", true, fmt::format("the service keeps {}; older ones are deleted", kept));
  }
  const auto processes = list_python_processes();
  if (!processes) return;
  size_t allowed = 0;
  std::string refusal;
  for (const PythonProcess& python : *processes) {
    const Status attachable = check_attach(caller, python.process);
    const auto ids = python.process.ids();
    allowed += attachable ? 1 : 0;
    if (!attachable && ids && ids->uid[0] == caller.uid) refusal = attachable.error().message;
  }
  add(response, "processes", refusal.empty(),
      fmt::format("as {} you may record {} of the {} Python processes here{}", user_name(caller.uid), allowed,
                  processes->size(), refusal.empty() ? "" : "; of yours one is refused: " + refusal),
      refusal.empty() ? "" : "`pycroscoped doctor -p PID` says more of one");
}

}  // namespace pycroscope

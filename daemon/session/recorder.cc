#include "daemon/session/recorder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "daemon/os/clock.h"
#include "daemon/session/choose_source.h"
#include "daemon/session/host_info.h"
#include "daemon/session/metadata.h"
#include "daemon/session/permission.h"
#include "daemon/session/recording_config.h"
#include "daemon/session/sharing.h"
#include "daemon/target/live_memory.h"
#include "daemon/target/process_use.h"

namespace pycroscope {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kSyncNs = 1'000'000'000;
// A drain costs a few microseconds whether there is something or not: fewer of them where little comes.
constexpr milliseconds kPause{20}, kPauseAtLowRate{100}, kPauseBeforeFirst{2};
constexpr double kLowRate = 200;
// How long the end of a recording may wait for source files.
constexpr milliseconds kSourcesPatience{2000};

Error gone(const Process& process) {
  return {ErrorCode::kTargetGone, fmt::format("process {} ended before anything was recorded", process.pid())};
}

// What attaching says when it fails because the process has ended meanwhile is not what happened.
std::unexpected<Error> attach_failure(const Process& process, Error error) {
  return std::unexpected(process.alive() ? std::move(error) : gone(process));
}

v1::Session new_session(v1::Target target, const v1::AttachRequest& request, const v1::RecordingConfig& config) {
  v1::Session session;
  session.set_name(request.name());
  *session.mutable_target() = std::move(target);
  *session.mutable_host() = host_info();
  *session.mutable_config() = config;
  session.set_recorder_version(PYC_VERSION);
  session.set_first_sample_ns(-1);
  return session;
}

}  // namespace

Result<std::unique_ptr<Recorder>> Recorder::attach(Store& store, SamplerCache& samplers, const Caller& caller,
                                                   const v1::AttachRequest& request, const RecordingTerms& terms,
                                                   int64_t requested_ns) {
  PYC_TRY(v1::RecordingConfig config, resolve_config(request.config()));
  if (terms.max_memory_bytes != 0) config.set_max_memory_bytes(terms.max_memory_bytes);
  PYC_TRY(const std::optional<gid_t> group, group_to_share_with(caller, request.share()));
  PYC_TRY(Process process, Process::open(request.pid()));
  PYC_CHECK(check_attach(caller, process));
  std::optional<PythonRuntime> python;
  if (!request.before_exec()) {
    Result<PythonRuntime> found = find_python(process, LiveMemory(process.pid()));
    if (!found) return attach_failure(process, std::move(found).error());
    python = *std::move(found);
  }
  Result<v1::Target> target = describe_target(process, python ? &*python : nullptr);
  if (!target) return attach_failure(process, std::move(target).error());

  // The dear parts come before the session begins.
  ChosenSource chosen{};
  if (config.trace().empty()) {
    PYC_TRY(chosen, choose_source(config, samplers.take()));
  }
  v1::Session session = new_session(*std::move(target), request, config);
  session.mutable_config()->set_sampler(std::string(chosen.sampler));
  PYC_TRY(std::unique_ptr<SessionWriter> writer, store.create(std::move(session), caller.session_owner));
  std::unique_ptr<Recorder> recorder(
      new Recorder(store, caller, std::move(process), std::move(python), terms, requested_ns, std::move(writer)));
  Status started = recorder->start(std::move(chosen.source));
  if (started && group) started = recorder->share(*group);
  if (!started) {
    auto failure = attach_failure(*recorder->process_, std::move(started).error());
    recorder->discard();
    return failure;
  }
  return recorder;
}

Recorder::Recorder(Store& store, const Caller& caller, Process process, std::optional<PythonRuntime> python,
                   const RecordingTerms& terms, int64_t requested_ns, std::unique_ptr<SessionWriter> writer)
    : store_(store),
      caller_(caller),
      terms_(terms),
      process_(std::make_shared<const Process>(std::move(process))),
      python_(std::move(python)),
      requested_ns_(requested_ns),
      start_ns_(writer->session().start_monotonic_ns()),
      cpu_before_ns_(thread_cpu_ns()),
      duration_(duration_of(writer->session().config())),
      pause_(writer->session().config().rate_hz() <= kLowRate ? kPauseAtLowRate : kPause),
      writer_(std::move(writer)),
      events_(*writer_) {}

Status Recorder::start(std::unique_ptr<StackSource> source) {
  const v1::RecordingConfig& config = writer_->session().config();
  CollectContext context{.process = process_,
                         .python = python_,
                         .config = config,
                         .session_start_ns = start_ns_,
                         .may_watch = [this](const Process& process) { return check_attach(caller_, process); },
                         .on_program = [this](const auto&... program) { describe(program...); }};
  PYC_TRY(collector_, source ? start_sample_collector(std::move(context), events_, std::move(source))
                             : start_trace_collector(std::move(context), events_));
  // The process may have changed its identity, or ended and its pid be another's, since it was checked.
  PYC_CHECK(check_attach(caller_, *process_));
  if (!process_->alive()) return std::unexpected(gone(*process_));
  sources_ = std::make_unique<Sources>(*process_, caller_);
  next_sync_ns_ = monotonic_ns() + kSyncNs;
  PYC_CHECK(sync());
  // From here on: what it took to begin is not the rate's fault.
  limit_.emplace(config, use());
  return {};
}

Status Recorder::share(gid_t group) {
  const Result<v1::Session> shared = store_.share(writer_->session().id(), group, caller_.store_user());
  return shared ? Status() : std::unexpected(shared.error());
}

void Recorder::describe(const Process& process, const PythonRuntime* python) {
  if (auto target = describe_target(process, python)) *writer_->session().mutable_target() = *std::move(target);
}

const v1::Session& Recorder::session() {
  const int64_t others_ns = writer_->cpu_ns() + (sources_ ? sources_->cpu_ns() : 0);
  writer_->session().set_recorder_cpu_ns(thread_cpu_ns() - cpu_before_ns_ + others_ns);
  return writer_->session();
}

SelfUse Recorder::use() {
  return {.time_ns = monotonic_ns(),
          .cpu_ns = thread_cpu_ns() + writer_->cpu_ns() - collector_->naming_cpu_ns(),
          .memory_bytes = resident_bytes(::getpid())};
}

bool Recorder::keep_within_limits() {
  constexpr double kNoLimit = std::numeric_limits<double>::infinity();
  if (!writer_->session().config().trace().empty()) return true;  // it records all, whatever that takes
  const uint32_t stride = limit_->stride(use(), terms_.allowance ? terms_.allowance() : kNoLimit);
  collector_->set_stride(stride);
  if (stride > 1) {
    v1::Session& session = writer_->session();
    const double rate = session.config().rate_hz() / stride;
    if (session.lowest_rate_hz() == 0 || rate < session.lowest_rate_hz()) session.set_lowest_rate_hz(rate);
  }
  return !limit_->exhausted();
}

Status Recorder::sync() {
  session();
  if (writer_->settled()) PYC_CHECK(sources_->store(*writer_));
  const Status stored = writer_->sync_soon();
  // The writer has counted what a full disk could not take; there may be room again later.
  if (!stored && stored.error().code == ErrorCode::kNoSpace) return {};
  return stored;
}

Status Recorder::store_first_sample() {
  if (writer_->session().first_sample_ns() >= 0 || events_.events() == 0 || !writer_->settled()) return {};
  // As soon as possible: from then on a kill leaves something to look at.
  if (!std::exchange(is_first_sample_on_its_way_, true)) return sync();
  writer_->session().set_first_sample_ns(monotonic_ns() - requested_ns_);
  return {};
}

milliseconds Recorder::next_pause() const {
  if (writer_->session().first_sample_ns() < 0) return kPauseBeforeFirst;
  if (duration_.count() == 0) return pause_;
  const auto left = duration_ - std::chrono::nanoseconds(monotonic_ns() - start_ns_);
  return std::clamp(std::chrono::ceil<milliseconds>(left), milliseconds(0), pause_);
}

Result<std::optional<std::string_view>> Recorder::step() {
  PYC_CHECK(collector_->drain(events_, next_pause()));
  const int64_t now = monotonic_ns();
  writer_->set_duration(now - start_ns_);
  PYC_CHECK(store_first_sample());
  sources_->ask_for_new_files(writer_->symbols());
  if (!collector_->alive()) return kTargetExited;
  if (now >= next_sync_ns_) {
    next_sync_ns_ = now + kSyncNs;
    PYC_CHECK(sync());
    // It may have changed its identity: that is not the caller's to see.
    const Status allowed = check_attach(caller_, *process_);
    if (process_->alive() && !allowed) return std::unexpected(allowed.error());
    if (!keep_within_limits()) return kLimit;
  }
  if (duration_.count() > 0 && now - start_ns_ >= duration_.count()) return kDuration;
  return std::nullopt;
}

Status Recorder::finish(std::string_view reason, std::optional<Error> failure) {
  if (Status stopped = collector_->stop(events_); !stopped && !failure) failure = std::move(stopped).error();
  writer_->set_duration(monotonic_ns() - start_ns_);
  // Without a source a session is still whole.
  static_cast<void>(sources_->finish(*writer_, kSourcesPatience));
  writer_->session().set_end_reason(std::string(reason));
  if (failure) writer_->session().set_failure(failure->message);
  session();
  const auto ended = reason == kServiceStopped ? v1::SESSION_STATE_INTERRUPTED : v1::SESSION_STATE_COMPLETE;
  PYC_CHECK(writer_->finish(failure ? v1::SESSION_STATE_FAILED : ended));
  if (failure) return std::unexpected(*std::move(failure));
  return {};
}

void Recorder::discard() {
  const std::array<std::string, 1> id{writer_->session().id()};
  // Nobody will look at it: what goes wrong here does not matter.
  if (collector_) static_cast<void>(collector_->stop(events_));
  collector_.reset();
  sources_.reset();
  writer_.reset();
  static_cast<void>(store_.remove(id, caller_.session_owner));
}

}  // namespace pycroscope

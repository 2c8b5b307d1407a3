#include "daemon/session/recording.h"

#include <algorithm>
#include <utility>

#include "daemon/os/clock.h"

namespace pycroscope {
namespace {

using std::chrono::milliseconds;

// How often a follower looks whether its client is still there.
constexpr milliseconds kLook{250};

}  // namespace

Result<std::shared_ptr<Recording>> Recording::start(Store& store, SamplerCache& samplers, const Caller& caller,
                                                    const v1::AttachRequest& request, const RecordingTerms& terms) {
  const int64_t requested_ns = monotonic_ns();
  std::shared_ptr<Recording> recording(new Recording);
  recording->pid_ = request.pid();
  recording->owner_ = caller.session_owner.uid;
  recording->thread_ = std::thread([r = recording.get(), &store, &samplers, caller, request, terms, requested_ns] {
    r->run(store, samplers, caller, request, terms, requested_ns);
    if (terms.on_end) terms.on_end();
  });
  std::unique_lock lock(recording->mutex_);
  recording->changed_.wait(lock, [&] { return recording->live_ || recording->finished_; });
  if (!recording->live_) return std::unexpected(*recording->failure_);
  return recording;
}

Recording::~Recording() {
  stop();
  thread_.join();
}

void Recording::run(Store& store, SamplerCache& samplers, const Caller& caller, const v1::AttachRequest& request,
                    const RecordingTerms& terms, int64_t requested_ns) {
  auto recorder = Recorder::attach(store, samplers, caller, request, terms, requested_ns);
  if (!recorder) return end(std::move(recorder).error());
  announce(**recorder);
  record(**recorder);
}

void Recording::announce(Recorder& recorder) {
  const std::lock_guard lock(mutex_);
  id_ = recorder.session().id();
  *latest_.mutable_session() = recorder.session();
  ++updates_;
  live_ = true;
  changed_.notify_all();
}

void Recording::record(Recorder& recorder) {
  std::optional<std::string_view> reason;
  std::optional<Error> failure;
  Clock::time_point published = Clock::now();
  while (!reason && !failure) {
    auto stepped = recorder.step();
    if (!stepped) {
      failure = std::move(stepped).error();
    } else {
      reason = *stepped;
    }
    if (wish() == Wish::kDiscard) {
      recorder.discard();
      return end(std::nullopt);
    }
    if (!reason && wish() == Wish::kStop) reason = stop_reason();
    bytes_ = recorder.session().bytes();
    const auto interval = shortest_interval();
    recorder.live_top().remember(top_wanted());
    if (interval && Clock::now() - published >= *interval) {
      published = Clock::now();
      publish(recorder);
    }
  }
  Status finished = recorder.finish(reason.value_or(""), std::move(failure));
  publish(recorder);
  end(finished ? std::nullopt : std::optional(std::move(finished).error()));
}

void Recording::publish(Recorder& recorder) {
  v1::RecordingUpdate update;
  *update.mutable_session() = recorder.session();
  // A view that cannot be made is left out: it must not end the recording.
  if (top_wanted()) static_cast<void>(recorder.live_top().take(update.session(), update));
  const std::lock_guard lock(mutex_);
  latest_ = std::move(update);
  ++updates_;
  changed_.notify_all();
}

void Recording::end(std::optional<Error> failure) {
  const std::lock_guard lock(mutex_);
  failure_ = std::move(failure);
  finished_ = true;
  changed_.notify_all();
}

bool Recording::finished() const {
  const std::lock_guard lock(mutex_);
  return finished_;
}

Recording::Wish Recording::wish() const {
  const std::lock_guard lock(mutex_);
  return wish_;
}

std::string_view Recording::stop_reason() const {
  const std::lock_guard lock(mutex_);
  return stop_reason_;
}

std::optional<Recording::Clock::duration> Recording::shortest_interval() const {
  const std::lock_guard lock(mutex_);
  if (followers_.empty()) return std::nullopt;
  return std::ranges::min(followers_, {}, &Follow::interval).interval;
}

bool Recording::top_wanted() const {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(followers_, &Follow::top);
}

void Recording::stop(std::string_view reason) {
  const std::lock_guard lock(mutex_);
  if (wish_ != Wish::kGoOn) return;
  wish_ = Wish::kStop;
  stop_reason_ = reason;
}

void Recording::discard() {
  const std::lock_guard lock(mutex_);
  wish_ = Wish::kDiscard;
}

Result<v1::Session> Recording::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return finished_; });
  if (failure_) return std::unexpected(*failure_);
  return latest_.session();
}

v1::RecordingUpdate Recording::live_update() const {
  const std::lock_guard lock(mutex_);
  v1::RecordingUpdate update;
  *update.mutable_session() = latest_.session();
  update.set_live(true);
  return update;
}

Result<Recording::FollowEnd> Recording::follow(const Follow& how, const UpdateSink& sink, const Cancelled& cancelled) {
  std::unique_lock lock(mutex_);
  const auto follower = followers_.insert(followers_.end(), how);
  uint64_t seen = updates_;
  bool receiver_there = true;
  // Sending may take as long as the receiver likes: never under the lock.
  const auto send = [&](bool live, bool finished) {
    v1::RecordingUpdate update = latest_;
    lock.unlock();
    update.set_live(live);
    update.set_finished(finished);
    if (!how.top) {
      update.clear_top_functions();
      update.clear_top_lines();
      update.clear_top_threads();
    }
    receiver_there = sink(update);
    lock.lock();
  };
  if (how.say_live) send(true, false);
  Clock::time_point sent = Clock::now();
  while (receiver_there && !finished_) {
    changed_.wait_for(lock, kLook);
    receiver_there = !cancelled();
    if (!receiver_there || finished_ || updates_ == seen || Clock::now() - sent < how.interval * 3 / 4) continue;
    seen = updates_;
    sent = Clock::now();
    send(false, false);
  }
  followers_.erase(follower);
  if (!receiver_there) return FollowEnd::kReceiverGone;
  if (failure_ && !latest_.has_session()) return std::unexpected(*failure_);
  send(false, true);
  if (failure_) return std::unexpected(*failure_);
  return FollowEnd::kFinished;
}

}  // namespace pycroscope

// A recording in progress: a thread of its own runs the recorder; any thread may follow or end it. Followers see
// snapshots and never hold the recorder up.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "daemon/session/caller.h"
#include "daemon/session/recorder.h"
#include "pycroscope/v1/service.pb.h"

namespace pycroscope {

// Called with each update; returning false means that the receiver is gone.
using UpdateSink = std::function<bool(const v1::RecordingUpdate&)>;
// True when the client has gone away or cancelled.
using Cancelled = std::function<bool()>;

class Recording {
 public:
  // Returns when the recording is live, or could not begin (see Recorder::attach). `store` and `samplers` must outlive
  // it.
  static Result<std::shared_ptr<Recording>> start(Store& store, SamplerCache& samplers, const Caller& caller,
                                                  const v1::AttachRequest& request, const RecordingTerms& terms);
  // Ends the recording, if it still runs, and keeps it.
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  const std::string& id() const { return id_; }
  pid_t pid() const { return pid_; }
  uid_t owner() const { return owner_; }
  bool finished() const;

  // Of its session on disk, so far.
  uint64_t bytes() const { return bytes_; }

  // Ask for the end; the session is kept (or not). They return at once. `reason`: one of Recorder's.
  void stop(std::string_view reason = Recorder::kStopped);
  void discard();
  // Waits for the end; the final session, or why the end could not be stored.
  Result<v1::Session> wait();

  // What is known now, marked as the first update.
  v1::RecordingUpdate live_update() const;

  struct Follow {
    std::chrono::milliseconds interval{1000};
    bool top = false;
    bool say_live = false;  // the first update says that the recording is live
  };
  enum class FollowEnd { kFinished, kReceiverGone };
  // Hands updates to `sink` until the recording has ended (the last update is `finished`) or nobody listens any more.
  // With several followers the top covers the shortest of their intervals.
  Result<FollowEnd> follow(const Follow& how, const UpdateSink& sink, const Cancelled& cancelled);

 private:
  enum class Wish { kGoOn, kStop, kDiscard };
  using Clock = std::chrono::steady_clock;

  Recording() = default;
  void run(Store& store, SamplerCache& samplers, const Caller& caller, const v1::AttachRequest& request,
           const RecordingTerms& terms, int64_t requested_ns);
  void record(Recorder& recorder);
  void publish(Recorder& recorder);
  void announce(Recorder& recorder);
  void end(std::optional<Error> failure);
  Wish wish() const;
  std::string_view stop_reason() const;
  // Of all followers; nothing to publish for when there is none.
  std::optional<Clock::duration> shortest_interval() const;
  bool top_wanted() const;

  // Set before the recording is live and never again.
  std::string id_;
  pid_t pid_ = 0;
  uid_t owner_ = 0;

  std::atomic<uint64_t> bytes_ = 0;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  // All guarded by mutex_.
  bool live_ = false;
  bool finished_ = false;
  Wish wish_ = Wish::kGoOn;
  std::string_view stop_reason_;
  std::optional<Error> failure_;
  v1::RecordingUpdate latest_;
  uint64_t updates_ = 0;  // counts changes of latest_
  std::list<Follow> followers_;

  std::thread thread_;
};

}  // namespace pycroscope

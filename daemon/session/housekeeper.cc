#include "daemon/session/housekeeper.h"

#include <malloc.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

namespace pycroscope {
namespace {

constexpr auto kLook = std::chrono::seconds(5);

}  // namespace

Housekeeper::Housekeeper(Store& store, const ServicePolicy& policy, std::function<void()> every_look)
    : store_(store), policy_(policy), every_look_(std::move(every_look)), thread_([this] { run(); }) {}

Housekeeper::~Housekeeper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Housekeeper::store_changed() {
  const std::lock_guard lock(mutex_);
  changed_ = true;
}

uint64_t Housekeeper::stored_bytes(uid_t uid) const {
  const std::lock_guard lock(mutex_);
  const auto found = bytes_.find(uid);
  return found == bytes_.end() ? 0 : found->second;
}

void Housekeeper::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const bool changed = std::exchange(changed_, false);
    lock.unlock();
    if (changed) look_through();
    every_look_();
    // What a storm of requests took goes back to the system; limits are about what we hold.
    ::malloc_trim(0);
    lock.lock();
    wake_.wait_for(lock, kLook, [&] { return stopping_; });
  }
}

void Housekeeper::look_through() {
  const Result<Store::Listing> listing = store_.list({});
  if (!listing) return spdlog::warn("cannot look through the store: {}", listing.error().message);
  std::map<uid_t, uint64_t> bytes;
  for (const v1::Session& session : listing->sessions) {
    if (session.state() != v1::SESSION_STATE_RECORDING) bytes[session.owner_uid()] += session.bytes();
  }
  for (auto& [uid, used] : bytes) {
    if (!policy_.keep && !policy_.max_bytes) break;
    const Result<Store::Deleted> deleted = store_.prune_of(uid, policy_.keep, policy_.max_bytes);
    if (!deleted) {
      spdlog::warn("cannot delete old sessions of uid {}: {}", uid, deleted.error().message);
    } else if (!deleted->ids.empty()) {
      used -= std::min(used, deleted->bytes);
      spdlog::info("retention deleted sessions={} bytes={} uid={}", deleted->ids.size(), deleted->bytes, uid);
    }
  }
  const std::lock_guard lock(mutex_);
  bytes_ = std::move(bytes);
}

}  // namespace pycroscope

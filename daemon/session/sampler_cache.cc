#include "daemon/session/sampler_cache.h"

#include <utility>

namespace pycroscope {

SamplerCache::~SamplerCache() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void SamplerCache::keep_ready() {
  std::call_once(started_, [this] { thread_ = std::thread(&SamplerCache::refill, this); });
}

std::unique_ptr<Sampler> SamplerCache::take() {
  std::unique_ptr<Sampler> sampler;
  {
    const std::lock_guard lock(mutex_);
    sampler = std::move(ready_);
  }
  changed_.notify_all();
  return sampler;
}

void SamplerCache::refill() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    Result<std::unique_ptr<Sampler>> loaded = Sampler::load();
    lock.lock();
    if (!loaded) return;
    ready_ = *std::move(loaded);
    changed_.wait(lock, [this] { return stopping_ || !ready_; });
  }
}

}  // namespace pycroscope

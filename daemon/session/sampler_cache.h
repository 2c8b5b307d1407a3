// Loading the sampler's BPF programs is the dear part of attaching and does not depend on the target: a service keeps
// one loaded for the next recording. Any thread may call.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "daemon/collect/sampler.h"

namespace pycroscope {

class SamplerCache {
 public:
  SamplerCache() = default;
  ~SamplerCache();
  SamplerCache(const SamplerCache&) = delete;
  SamplerCache& operator=(const SamplerCache&) = delete;

  // From now on a thread keeps one ready. It gives up when loading fails: who attaches then learns why.
  void keep_ready();
  // The one that is ready, null when there is none.
  std::unique_ptr<Sampler> take();

 private:
  void refill();

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;           // guarded by mutex_
  std::unique_ptr<Sampler> ready_;  // guarded by mutex_
  std::once_flag started_;
  std::thread thread_;
};

}  // namespace pycroscope

// Keeps a service's store within its policy: deletes what retention does not keep, and knows what each user has.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "daemon/session/service_policy.h"
#include "daemon/store/store.h"

namespace pycroscope {

class Housekeeper {
 public:
  // `every_look` is called every few seconds by the housekeeper's thread. `store` and `policy` must outlive it.
  Housekeeper(Store& store, const ServicePolicy& policy, std::function<void()> every_look);
  ~Housekeeper();
  Housekeeper(const Housekeeper&) = delete;
  Housekeeper& operator=(const Housekeeper&) = delete;

  // The store has changed: it is looked through soon. Any thread.
  void store_changed();
  // Bytes of the user's sessions that are not being recorded, as of the last look. Any thread.
  uint64_t stored_bytes(uid_t uid) const;

 private:
  void run();
  void look_through();

  Store& store_;
  const ServicePolicy& policy_;
  const std::function<void()> every_look_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool changed_ = true;                   // guarded by mutex_
  bool stopping_ = false;                 // guarded by mutex_
  std::map<uid_t, uint64_t> bytes_ = {};  // guarded by mutex_
  std::thread thread_;
};

}  // namespace pycroscope

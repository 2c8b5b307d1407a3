// One line for each time that somebody looks into a process through the service: who, what, when (the log's own time).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "analysis/model/result.h"
#include "daemon/session/caller.h"

namespace spdlog {
class logger;
}

namespace pycroscope {

// Any thread may call.
class AuditLog {
 public:
  explicit AuditLog(std::shared_ptr<spdlog::logger> logger) : logger_(std::move(logger)) {}

  // `action`: "attach", "dump". `session`: empty when none came of it. Refusals of one user that come in floods are
  // counted instead of written: nobody can drown the others' lines.
  void write(std::string_view action, const Caller& caller, pid_t target, std::string_view session,
             const Status& outcome);

 private:
  using Clock = std::chrono::steady_clock;
  struct Refusals {
    Clock::time_point since;
    uint64_t count = 0;
  };
  // How many were left out before this one, which is to be written; nothing: leave it out too.
  std::optional<uint64_t> admit_refusal(uid_t uid);

  const std::shared_ptr<spdlog::logger> logger_;
  std::mutex mutex_;
  std::map<uid_t, Refusals> refusals_;  // guarded by mutex_
};

}  // namespace pycroscope

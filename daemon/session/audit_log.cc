#include "daemon/session/audit_log.h"

#include <fmt/format.h>
#include <spdlog/logger.h>

#include "analysis/passes/json.h"
#include "daemon/os/user_names.h"
#include "daemon/target/process.h"

namespace pycroscope {
namespace {

constexpr uint64_t kRefusalsWritten = 10;
constexpr auto kRefusalInterval = std::chrono::seconds(10);

// The command line of a process, for people; it may be another's by now.
std::string command_of(pid_t pid) {
  constexpr size_t kShown = 200;
  std::string text;
  const Result<Process> process = Process::open(pid);
  const auto command = process ? process->command() : std::unexpected(process.error());
  if (!command) return text;
  for (const std::string& argument : *command) {
    if (text.size() < kShown) text += (text.empty() ? "" : " ") + argument;
  }
  return text.substr(0, kShown);
}

}  // namespace

std::optional<uint64_t> AuditLog::admit_refusal(uid_t uid) {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  Refusals& refusals = refusals_[uid];
  uint64_t left_out = 0;
  if (now - refusals.since >= kRefusalInterval) {
    left_out = refusals.count > kRefusalsWritten ? refusals.count - kRefusalsWritten : 0;
    refusals = {.since = now};
  }
  if (++refusals.count > kRefusalsWritten) return std::nullopt;
  return left_out;
}

void AuditLog::write(std::string_view action, const Caller& caller, pid_t target, std::string_view session,
                     const Status& outcome) {
  std::string suffix;
  if (!outcome) {
    const auto left_out = admit_refusal(caller.uid);
    if (!left_out) return;
    if (*left_out > 0) suffix = fmt::format(" refusals_left_out={}", *left_out);
  }
  logger_->info("audit action={} uid={} user={} target_pid={} command={} session={} outcome={}{}", action, caller.uid,
                json_string(user_name(caller.uid)), target, json_string(command_of(target)),
                session.empty() ? "-" : session, outcome ? "ok" : json_string(outcome.error().message), suffix);
}

}  // namespace pycroscope

#include "analysis/model/loss.h"

#include <array>

namespace pycroscope {
namespace {

struct Reason {
  v1::LossReason reason;
  std::string_view name;
  std::string_view sentence;
};

constexpr std::array kReasons = {
    Reason{v1::LOSS_REASON_RING_FULL, "ring_full", "the kernel's ring buffer was full"},
    Reason{v1::LOSS_REASON_LATE_TICK, "late_tick", "the sampling timer fired late and skipped ticks"},
    Reason{v1::LOSS_REASON_READ_FAULT, "read_fault", "a page of the target's memory was not present"},
    Reason{v1::LOSS_REASON_TORN_STACK, "torn_stack", "the interpreter was changing the stack that was being read"},
    Reason{v1::LOSS_REASON_UNKNOWN_CODE, "unknown_code", "the function was gone before it could be identified"},
    Reason{v1::LOSS_REASON_QUOTA, "quota", "the session had reached its limit"},
    Reason{v1::LOSS_REASON_DISK_FULL, "disk_full", "the disk was full"},
    Reason{v1::LOSS_REASON_CORRUPT_BLOCK, "corrupt_block", "stored data is damaged"},
    Reason{v1::LOSS_REASON_SELF_LIMIT, "self_limit",
           "the profiler lowered its own rate to stay within --max-cpu and --max-memory"},
    Reason{v1::LOSS_REASON_ENCODER_BEHIND, "encoder_behind", "the recorder could not keep up"},
};

}  // namespace

std::string_view loss_reason_name(v1::LossReason reason) {
  for (const Reason& r : kReasons)
    if (r.reason == reason) return r.name;
  return "unknown";
}

std::string_view loss_reason_sentence(v1::LossReason reason) {
  for (const Reason& r : kReasons)
    if (r.reason == reason) return r.sentence;
  return "for a reason this version does not know";
}

void add_loss(v1::Loss& loss, v1::LossReason reason, uint64_t count) {
  if (count == 0) return;
  loss.set_lost(loss.lost() + count);
  for (v1::LossCount& entry : *loss.mutable_by_reason()) {
    if (entry.reason() != reason) continue;
    entry.set_count(entry.count() + count);
    return;
  }
  v1::LossCount* entry = loss.add_by_reason();
  entry->set_reason(reason);
  entry->set_count(count);
}

}  // namespace pycroscope

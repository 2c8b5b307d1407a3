#include "analysis/model/tally.h"

#include <algorithm>
#include <bit>

namespace pycroscope {

StackFigures& StackFigures::operator+=(const StackFigures& other) {
  calls += other.calls;
  hits += other.hits;
  instructions += other.instructions;
  ns += other.ns;
  return *this;
}

AllocationFigures& AllocationFigures::operator+=(const AllocationFigures& other) {
  allocations += other.allocations;
  bytes += other.bytes;
  frees += other.frees;
  freed_bytes += other.freed_bytes;
  temporary += other.temporary;
  peak_bytes += other.peak_bytes;
  return *this;
}

ObjectFigures& ObjectFigures::operator+=(const ObjectFigures& other) {
  count += other.count;
  bytes += other.bytes;
  ended += other.ended;
  ended_bytes += other.ended_bytes;
  refcount_max = std::max(refcount_max, other.refcount_max);
  for (const auto& [place, number] : other.lifetimes) lifetimes[place] += number;
  return *this;
}

ExceptionFigures& ExceptionFigures::operator+=(const ExceptionFigures& other) {
  raised += other.raised;
  unwound += other.unwound;
  cost_ns += other.cost_ns;
  return *this;
}

uint16_t lifetime_place(uint64_t ns) {
  if (ns < 8) return static_cast<uint16_t>(ns);
  const auto power = static_cast<unsigned>(std::bit_width(ns)) - 1;
  return static_cast<uint16_t>(power * 8 + (ns >> (power - 3) & 7));
}

uint64_t longest_of_place(uint16_t place) {
  if (place < 8) return place;
  const unsigned power = place / 8;
  return ((uint64_t{8} + place % 8) << (power - 3)) + ((uint64_t{1} << (power - 3)) - 1);
}

uint32_t Tally::context(ThreadId thread, LabelSetId labels, ProcessId process) {
  const uint32_t number = context_index_({index(thread), index(labels), 0});
  if (number == contexts_.size()) contexts_.push_back({thread, labels, process});
  return number;
}

ProcessMemory& Tally::process(ProcessId id) {
  if (index(id) >= processes_.size()) {
    processes_.resize(index(id) + 1);
    peaks_.resize(index(id) + 1);
  }
  return processes_[index(id)];
}

void Tally::before_change(AllocationFigures& figures, uint32_t row, ProcessId of) {
  process(of);
  if (row >= row_peaks_.size()) row_peaks_.resize(row + 1);
  if (row_peaks_[row] == peaks_[index(of)]) return;
  figures.peak_bytes = figures.live_bytes();
  row_peaks_[row] = peaks_[index(of)];
}

void Tally::change(ProcessId of, int64_t bytes, int64_t time_ns) {
  ProcessMemory& memory = process(of);
  memory.live_bytes += bytes;
  if (memory.live_bytes > memory.peak_bytes) {
    memory.peak_bytes = memory.live_bytes;
    ++peaks_[index(of)];
  }
  const int64_t slot = time_ns >> slot_shift_;
  if (memory_.empty() || memory_.back().process != of || memory_.back().slot != slot)
    memory_.push_back({of, slot, memory.live_bytes});
  else
    memory_.back().live_bytes = memory.live_bytes;
}

void Tally::allocate(uint32_t context, StackId stack, StringId type, uint64_t bytes, int64_t time_ns) {
  const ProcessId of = contexts_[context].process;
  const uint32_t row = allocations_.number({context, index(stack), index(type)});
  AllocationFigures& figures = allocations_.at(row);
  before_change(figures, row, of);
  ++figures.allocations;
  figures.bytes += bytes;
  change(of, static_cast<int64_t>(bytes), time_ns);
}

void Tally::free(uint32_t context, StackId stack, StringId type, uint64_t bytes, bool temporary, int64_t time_ns) {
  const ProcessId of = contexts_[context].process;
  const uint32_t row = allocations_.number({context, index(stack), index(type)});
  AllocationFigures& figures = allocations_.at(row);
  before_change(figures, row, of);
  ++figures.frees;
  figures.freed_bytes += bytes;
  figures.temporary += temporary;
  change(of, -static_cast<int64_t>(bytes), time_ns);
}

ExceptionFigures& Tally::exception(uint32_t context, StringId type, StackId raised, uint32_t caught_plus_1) {
  return exceptions_[{context, exception_sites_({index(type), index(raised), caught_plus_1}), 0}];
}

void Tally::settle() {
  for (uint32_t row = 0; row < allocations_.size(); ++row)
    before_change(allocations_.at(row), row, contexts_[allocations_.key(row)[0]].process);
}

void Tally::restore_allocation(const DenseIndex::Key& key, const AllocationFigures& figures) {
  const uint32_t row = allocations_.number(key);
  allocations_.at(row) = figures;
  const ProcessId of = contexts_[key[0]].process;
  process(of);
  if (row >= row_peaks_.size()) row_peaks_.resize(row + 1);
  row_peaks_[row] = peaks_[index(of)];
}

void Tally::restore_process(ProcessId id, const ProcessMemory& memory) { process(id) = memory; }

// The later stretch's peak is the new one where it is higher. Then what was live at the end of the earlier one was
// there as well.
void Tally::merge_allocations(const Tally& later, const std::vector<uint32_t>& contexts) {
  settle();
  std::vector<bool> higher(later.processes_.size());
  for (uint32_t id = 0; id < later.processes_.size(); ++id) {
    ProcessMemory& memory = process(ProcessId{id});
    const ProcessMemory& after = later.processes_[id];
    higher[id] = memory.live_bytes + after.peak_bytes > memory.peak_bytes;
    if (higher[id]) memory.peak_bytes = memory.live_bytes + after.peak_bytes;
  }
  for (uint32_t row = 0; row < allocations_.size(); ++row) {
    const uint32_t of = index(contexts_[allocations_.key(row)[0]].process);
    AllocationFigures& figures = allocations_.at(row);
    if (of < higher.size() && higher[of]) figures.peak_bytes = figures.live_bytes();
  }
  for (uint32_t row = 0; row < later.allocations_.size(); ++row) {
    DenseIndex::Key key = later.allocations_.key(row);
    const ProcessId of = later.contexts_[key[0]].process;
    key[0] = contexts[key[0]];
    AllocationFigures more = later.allocations_.at(row);
    if (!higher[index(of)]) more.peak_bytes = 0;
    const uint32_t to = allocations_.number(key);
    if (to >= row_peaks_.size()) row_peaks_.resize(to + 1, peaks_[index(of)]);
    allocations_.at(to) += more;
  }
}

void Tally::append(const Tally& later) {
  std::vector<uint32_t> contexts;
  for (const TallyContext& c : later.contexts_) contexts.push_back(context(c.thread, c.labels, c.process));
  const auto here = [&](DenseIndex::Key key) {
    key[0] = contexts[key[0]];
    return key;
  };
  for (uint32_t i = 0; i < later.stacks_.size(); ++i) stacks_[here(later.stacks_.key(i))] += later.stacks_.at(i);
  for (uint32_t i = 0; i < later.objects_.size(); ++i) objects_[here(later.objects_.key(i))] += later.objects_.at(i);
  for (uint32_t i = 0; i < later.exceptions_.size(); ++i) {
    const DenseIndex::Key& key = later.exceptions_.key(i);
    const DenseIndex::Key& site = later.exception_sites_.keys()[key[1]];
    exception(contexts[key[0]], StringId{site[0]}, StackId{site[1]}, site[2]) += later.exceptions_.at(i);
  }
  merge_allocations(later, contexts);
  for (const MemoryPoint& point : later.memory_) {
    const int64_t slot = point.slot << later.slot_shift_ >> slot_shift_;
    const int64_t live = processes_[index(point.process)].live_bytes + point.live_bytes;
    const auto same = std::ranges::find_if(memory_.rbegin(), memory_.rend(), [&](const MemoryPoint& p) {
      return p.process == point.process || p.slot < slot;
    });
    if (same != memory_.rend() && same->process == point.process && same->slot == slot)
      same->live_bytes = live;
    else
      memory_.push_back({point.process, slot, live});
  }
  for (uint32_t id = 0; id < later.processes_.size(); ++id)
    processes_[id].live_bytes += later.processes_[id].live_bytes;
  kept_.insert(kept_.end(), later.kept_.begin(), later.kept_.end());
  for (size_t type = 0; type < kTraceTypes; ++type) events_[type] += later.events_[type];
}

}  // namespace pycroscope

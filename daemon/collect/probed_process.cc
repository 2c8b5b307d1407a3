#include "daemon/collect/probed_process.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "daemon/target/namespaces.h"
#include "daemon/target/thread_files.h"

namespace pycroscope {
namespace {

ProcessId intern(pid_t pid, const Process& process, std::optional<ProcessId> parent, Symbols& symbols) {
  const auto words = process.command().value_or(std::vector<std::string>{});
  return symbols.intern_process({.pid = pid,
                                 .command = symbols.intern_string(fmt::format("{}", fmt::join(words, " "))),
                                 .parent = parent ? index(*parent) + 1 : 0});
}

}  // namespace

Result<std::unique_ptr<ProbedProcess>> ProbedProcess::start(std::shared_ptr<const Process> process,
                                                            const PythonRuntime& python, const ProbePlan& plan,
                                                            const TickClock& clock, std::optional<RemoteThread> at,
                                                            EventSink& sink, TraceDrain& drain) {
  std::unique_ptr<ProbedProcess> traced(new ProbedProcess(process->pid(), process, python, nullptr, sink.symbols()));
  PYC_TRY(traced->probe_, Probe::load(std::move(process), python, plan, clock, std::move(at)));
  traced->number_ = drain.add_process(RingReader(traced->probe_->definitions(), Probe::kDefinitionSlots));
  return traced;
}

std::unique_ptr<ProbedProcess> ProbedProcess::adopt(Probe& root, const Probe::Child& child, pid_t pid,
                                                    std::shared_ptr<const Process> process, EventSink& sink,
                                                    TraceDrain& drain) const {
  if (!process) process = process_;
  std::unique_ptr<ProbedProcess> adopted(new ProbedProcess(pid, process, python_, this, sink.symbols()));
  adopted->probe_ = root.adopt(child, std::move(process));
  adopted->child_number_ = child.number;
  adopted->number_ = drain.add_process(RingReader(adopted->probe_->definitions(), Probe::kDefinitionSlots), number_);
  return adopted;
}

ProbedProcess::ProbedProcess(pid_t pid, std::shared_ptr<const Process> process, const PythonRuntime& python,
                             const ProbedProcess* parent, Symbols& symbols)
    : pid_(pid),
      process_(std::move(process)),
      python_(python),
      memory_(process_->pid()),
      id_(intern(pid, *process_, parent ? std::optional(parent->id_) : std::nullopt, symbols)),
      names_(memory_, python_),
      threads_(*process_, id_) {
  threads_.set_names(&names_);
}

// Our id of a thread that has another one in its own pid namespace.
pid_t ProbedProcess::outer_id(pid_t inner) const {
  for (const pid_t tid : thread_ids(process_->pid())) {
    const std::vector<uint64_t> ids = ids_in_namespaces(tid);
    if (!ids.empty() && ids.back() == static_cast<uint64_t>(inner)) return tid;
  }
  return inner;
}

void ProbedProcess::admit(Symbols& symbols, TraceDrain& drain) {
  const std::span<pyc_probe_thread> all = probe_->threads();
  for (uint32_t number = 0; number < all.size(); ++number) {
    if (__atomic_load_n(&all[number].state, __ATOMIC_ACQUIRE) == PYC_PROBE_RING_FREE || writers_.contains(number))
      continue;
    const pid_t tid = outer_id(all[number].tid);
    const ThreadId id = threads_.intern(tid, all[number].ident, symbols);
    writers_.emplace(number, Writer{id, tid, false});
    drain.add(id, RingReader(probe_->ring(number), Probe::kThreadSlots), number_);
  }
}

void ProbedProcess::update(int64_t now_ns, EventSink& sink) {
  threads_.update(now_ns, sink.symbols());
  const uint64_t now = probe_->unrecorded();
  if (now > unrecorded_) sink.add_loss(v1::LOSS_REASON_RING_FULL, now - unrecorded_);
  unrecorded_ = std::max(unrecorded_, now);
}

void ProbedProcess::look_for_ended(TraceDrain& drain) {
  const std::vector<pid_t> tids = alive() ? thread_ids(pid_) : std::vector<pid_t>{};
  for (auto it = writers_.begin(); it != writers_.end();) {
    auto& [number, writer] = *it;
    if (writer.is_gone) {
      probe_->reuse(number);
      it = writers_.erase(it);
      continue;
    }
    if (!std::ranges::binary_search(tids, writer.tid)) {
      drain.writer_is_gone(writer.id);
      writer.is_gone = true;
    }
    ++it;
  }
}

void ProbedProcess::finish(TraceDrain& drain) {
  for (const auto& [number, thread] : writers_) drain.writer_is_gone(thread.id);
}

}  // namespace pycroscope

#include "daemon/store/tally_codec.h"

#include <algorithm>
#include <numeric>

#include "daemon/store/bytes.h"
#include "daemon/store/integer_column.h"

namespace pycroscope {
namespace {

using Integers = std::vector<uint64_t>;
// A session has no more of anything than ids have room for.
constexpr uint64_t kMaxRows = uint64_t{1} << 28;

// Writes a table, column by column.
class TableWriter {
 public:
  TableWriter(size_t rows, ByteWriter& out) : rows_(rows), out_(out) { out.varint(rows); }

  template <class Value>
  TableWriter& column(Value value) {
    Integers values(rows_);
    for (size_t row = 0; row < rows_; ++row) values[row] = static_cast<uint64_t>(value(row));
    encode_integers(values, Effort::kQuick, out_);
    return *this;
  }
  template <class Value>
  TableWriter& signed_column(Value value) {
    return column([&](size_t row) { return zigzag_encode(static_cast<int64_t>(value(row))); });
  }
  template <class Value>
  TableWriter& differences(Value value) {
    int64_t last = 0;
    return signed_column([&](size_t row) {
      const auto now = static_cast<int64_t>(value(row));
      return now - std::exchange(last, now);
    });
  }

 private:
  size_t rows_;
  ByteWriter& out_;
};

// Reads one. Columns of a table that is damaged are empty, and `in` is not ok().
class TableReader {
 public:
  explicit TableReader(ByteReader& in) : in_(in), rows_(in.varint()) {
    if (rows_ > kMaxRows) in.fail();
  }
  size_t rows() const { return in_.ok() ? rows_ : 0; }

  Integers column(uint64_t limit = UINT64_MAX) {
    if (!in_.ok()) return {};
    // A constant column of many rows is a few bytes, and would be much memory.
    if (rows_ > kMaxRowsPerByte * (in_.remaining() + 1)) in_.fail();
    Integers values = in_.ok() ? decode_integers(rows_, in_) : Integers();
    if (in_.ok() && std::ranges::any_of(values, [&](uint64_t value) { return value >= limit; })) in_.fail();
    return values;
  }
  Integers differences(uint64_t limit) {
    Integers values = column();
    uint64_t last = 0;
    for (uint64_t& value : values) {
      value = last += static_cast<uint64_t>(zigzag_decode(value));
      if (value >= limit) in_.fail();
    }
    return values;
  }

 private:
  static constexpr uint64_t kMaxRowsPerByte = 65536;
  ByteReader& in_;
  uint64_t rows_;
};

// Rows of a table in the order of their keys.
template <class Figures>
std::vector<uint32_t> in_order(const FigureTable<Figures>& table) {
  std::vector<uint32_t> rows(table.size());
  std::iota(rows.begin(), rows.end(), 0);
  std::ranges::sort(rows, {}, [&](uint32_t row) -> const DenseIndex::Key& { return table.key(row); });
  return rows;
}

void write_contexts(const Tally& tally, ByteWriter& out) {
  const auto contexts = tally.contexts();
  TableWriter(contexts.size(), out)
      .column([&](size_t i) { return index(contexts[i].thread); })
      .column([&](size_t i) { return index(contexts[i].labels); })
      .column([&](size_t i) { return index(contexts[i].process); });
}

void write_stacks(const Tally& tally, ByteWriter& out) {
  const auto& table = tally.stacks();
  const auto rows = in_order(table);
  TableWriter(rows.size(), out)
      .column([&](size_t i) { return table.key(rows[i])[0]; })
      .differences([&](size_t i) { return table.key(rows[i])[1]; })
      .column([&](size_t i) { return table.at(rows[i]).calls; })
      .column([&](size_t i) { return table.at(rows[i]).hits; })
      .column([&](size_t i) { return table.at(rows[i]).instructions; })
      .column([&](size_t i) { return table.at(rows[i]).ns; });
}

void write_allocations(const Tally& tally, ByteWriter& out) {
  const auto& table = tally.allocations();
  const auto rows = in_order(table);
  const auto at = [&](size_t i) -> const AllocationFigures& { return table.at(rows[i]); };
  TableWriter(rows.size(), out)
      .column([&](size_t i) { return table.key(rows[i])[0]; })
      .differences([&](size_t i) { return table.key(rows[i])[1]; })
      .column([&](size_t i) { return table.key(rows[i])[2]; })
      .column([&](size_t i) { return at(i).allocations; })
      .column([&](size_t i) { return at(i).bytes; })
      .column([&](size_t i) { return at(i).frees; })
      .column([&](size_t i) { return at(i).freed_bytes; })
      .column([&](size_t i) { return at(i).temporary; })
      .signed_column([&](size_t i) { return at(i).peak_bytes; });
}

void write_memory(const Tally& tally, ByteWriter& out) {
  const auto& processes = tally.processes();
  TableWriter(processes.size(), out)
      .signed_column([&](size_t i) { return processes[i].live_bytes; })
      .column([&](size_t i) { return processes[i].peak_bytes; });
  const auto& memory = tally.memory();
  TableWriter(memory.size(), out)
      .column([&](size_t i) { return index(memory[i].process); })
      .differences([&](size_t i) { return memory[i].slot; })
      .signed_column([&](size_t i) { return memory[i].live_bytes; });
}

void write_objects(const Tally& tally, ByteWriter& out) {
  const auto& table = tally.objects();
  const auto rows = in_order(table);
  const auto at = [&](size_t i) -> const ObjectFigures& { return table.at(rows[i]); };
  TableWriter(rows.size(), out)
      .column([&](size_t i) { return table.key(rows[i])[0]; })
      .differences([&](size_t i) { return table.key(rows[i])[1]; })
      .column([&](size_t i) { return table.key(rows[i])[2]; })
      .column([&](size_t i) { return at(i).count; })
      .column([&](size_t i) { return at(i).bytes; })
      .column([&](size_t i) { return at(i).ended; })
      .column([&](size_t i) { return at(i).ended_bytes; })
      .column([&](size_t i) { return at(i).refcount_max; })
      .column([&](size_t i) { return at(i).lifetimes.size(); });
  std::vector<std::pair<uint16_t, uint64_t>> lifetimes;
  for (size_t i = 0; i < rows.size(); ++i)
    lifetimes.insert(lifetimes.end(), at(i).lifetimes.begin(), at(i).lifetimes.end());
  TableWriter(lifetimes.size(), out).column([&](size_t i) { return lifetimes[i].first; }).column([&](size_t i) {
    return lifetimes[i].second;
  });
}

void write_exceptions(const Tally& tally, ByteWriter& out) {
  const auto& sites = tally.exception_sites().keys();
  TableWriter(sites.size(), out)
      .column([&](size_t i) { return sites[i][0]; })
      .column([&](size_t i) { return sites[i][1]; })
      .column([&](size_t i) { return sites[i][2]; });
  const auto& table = tally.exceptions();
  const auto row = [](size_t i) { return static_cast<uint32_t>(i); };
  TableWriter(table.size(), out)
      .column([&](size_t i) { return table.key(row(i))[0]; })
      .column([&](size_t i) { return table.key(row(i))[1]; })
      .column([&](size_t i) { return table.at(row(i)).raised; })
      .column([&](size_t i) { return table.at(row(i)).unwound; })
      .signed_column([&](size_t i) { return table.at(row(i)).cost_ns; });
}

void write_kept(const Tally& tally, ByteWriter& out) {
  const auto& kept = tally.kept();
  TableWriter writer(kept.size(), out);
  writer.column([&](size_t i) { return index(kept[i].thread); })
      .column([&](size_t i) { return index(kept[i].labels); })
      .column([&](size_t i) { return index(kept[i].stack); })
      .column([&](size_t i) { return static_cast<uint8_t>(kept[i].event.type); })
      .column([&](size_t i) { return kept[i].event.id; })
      .signed_column([&](size_t i) { return kept[i].event.time_ns; });
  for (size_t a = 0; a < kMaxTraceArguments; ++a) writer.column([&](size_t i) { return kept[i].event.arguments[a]; });
}

// Reads a bucket, part by part, in the order of writing.
class BucketReader {
 public:
  BucketReader(ByteReader& in, const Symbols::Mark& known) : in_(in), known_(known) {}

  std::optional<TallyBucket> read() {
    const int64_t from = in_.zigzag(), to = in_.zigzag();
    const uint64_t shift = in_.varint();
    if (!in_.ok() || shift < Tally::kFinestShift || shift > 62) return std::nullopt;
    TallyBucket bucket{from, to, Tally(static_cast<unsigned>(shift)), {}};
    read_contexts(bucket.tally);
    read_stacks(bucket.tally);
    read_allocations(bucket.tally);
    read_memory(bucket.tally);
    read_objects(bucket.tally);
    read_exceptions(bucket.tally);
    read_kept(bucket.tally);
    read_events(bucket.tally);
    read_states(bucket.states);
    if (!in_.finished()) return std::nullopt;
    return bucket;
  }

 private:
  static uint32_t small(uint64_t value) { return static_cast<uint32_t>(value); }

  void read_contexts(Tally& tally) {
    TableReader table(in_);
    const Integers threads = table.column(known_.threads), labels = table.column(known_.label_sets),
                   processes = table.column(known_.processes);
    for (size_t i = 0; i < table.rows(); ++i)
      if (tally.context(ThreadId{small(threads[i])}, LabelSetId{small(labels[i])}, ProcessId{small(processes[i])}) != i)
        return in_.fail();
    contexts_ = table.rows();
  }

  void read_stacks(Tally& tally) {
    TableReader table(in_);
    const Integers contexts = table.column(contexts_), stacks = table.differences(known_.stacks),
                   calls = table.column(), hits = table.column(), instructions = table.column(), ns = table.column();
    for (size_t i = 0; i < table.rows(); ++i)
      tally.stack_at(tally.stack_row(small(contexts[i]), StackId{small(stacks[i])})) = {
          calls[i], hits[i], instructions[i], static_cast<int64_t>(ns[i])};
  }

  void read_allocations(Tally& tally) {
    TableReader table(in_);
    const Integers contexts = table.column(contexts_), stacks = table.differences(known_.stacks),
                   types = table.column(known_.strings), allocations = table.column(), bytes = table.column(),
                   frees = table.column(), freed = table.column(), temporary = table.column(), peak = table.column();
    for (size_t i = 0; i < table.rows(); ++i)
      tally.restore_allocation({small(contexts[i]), small(stacks[i]), small(types[i])},
                               {allocations[i], bytes[i], frees[i], freed[i], temporary[i], zigzag_decode(peak[i])});
  }

  void read_memory(Tally& tally) {
    TableReader processes(in_);
    const Integers live = processes.column(), peak = processes.column();
    if (processes.rows() > known_.processes) return in_.fail();
    for (size_t i = 0; i < processes.rows(); ++i)
      tally.restore_process(ProcessId{small(i)}, {zigzag_decode(live[i]), static_cast<int64_t>(peak[i])});
    TableReader memory(in_);
    const Integers of = memory.column(processes.rows()), slots = memory.differences(UINT64_MAX),
                   bytes = memory.column();
    for (size_t i = 0; i < memory.rows(); ++i)
      tally.restore_memory({ProcessId{small(of[i])}, static_cast<int64_t>(slots[i]), zigzag_decode(bytes[i])});
  }

  void read_objects(Tally& tally) {
    TableReader table(in_);
    const Integers contexts = table.column(contexts_), stacks = table.differences(known_.stacks),
                   types = table.column(known_.strings), count = table.column(), bytes = table.column(),
                   ended = table.column(), ended_bytes = table.column(), references = table.column(),
                   places = table.column();
    TableReader lifetimes(in_);
    const Integers place = lifetimes.column(kLifetimePlaces), number = lifetimes.column();
    size_t next = 0;
    for (size_t i = 0; i < table.rows(); ++i) {
      ObjectFigures& figures = tally.object(small(contexts[i]), StackId{small(stacks[i])}, StringId{small(types[i])});
      figures = {count[i], bytes[i], ended[i], ended_bytes[i], references[i], {}};
      if (places[i] > lifetimes.rows() - next) return in_.fail();
      for (const size_t end = next + places[i]; next < end; ++next)
        figures.lifetimes[static_cast<uint16_t>(place[next])] = number[next];
    }
  }

  void read_exceptions(Tally& tally) {
    TableReader sites(in_);
    const Integers types = sites.column(known_.strings), stacks = sites.column(known_.stacks),
                   caught = sites.column(uint64_t{known_.locations} + 1);
    TableReader table(in_);
    const Integers contexts = table.column(contexts_), site = table.column(sites.rows()), raised = table.column(),
                   unwound = table.column(), cost = table.column();
    for (size_t i = 0; i < table.rows(); ++i)
      tally.exception(small(contexts[i]), StringId{small(types[site[i]])}, StackId{small(stacks[site[i]])},
                      small(caught[site[i]])) = {raised[i], unwound[i], zigzag_decode(cost[i])};
  }

  void read_kept(Tally& tally) {
    TableReader table(in_);
    const Integers threads = table.column(known_.threads), labels = table.column(known_.label_sets),
                   stacks = table.column(known_.stacks), types = table.column(kTraceTypes),
                   ids = table.column(uint64_t{UINT32_MAX} + 1), times = table.column();
    std::array<Integers, kMaxTraceArguments> arguments;
    for (Integers& column : arguments) column = table.column();
    TraceColumns events;
    for (size_t i = 0; i < table.rows(); ++i) {
      TraceEvent event{zigzag_decode(times[i]), static_cast<TraceType>(types[i]), small(ids[i]), {}};
      for (size_t a = 0; a < kMaxTraceArguments; ++a) event.arguments[a] = arguments[a][i];
      const KeptEvent kept{ThreadId{small(threads[i])}, LabelSetId{small(labels[i])}, StackId{small(stacks[i])}, event};
      events.runs.push_back({kept.thread, kept.stack, kept.labels, 0});
      events.push_back(event);
      tally.keep(kept);
    }
    if (!are_known(events, known_)) in_.fail();
  }

  void read_events(Tally& tally) {
    TableReader table(in_);
    const Integers counts = table.column();
    if (table.rows() != kTraceTypes) return in_.fail();
    for (size_t i = 0; i < kTraceTypes; ++i) tally.restore_events(static_cast<TraceType>(i), counts[i]);
  }

  void read_states(std::vector<ThreadState>& states) {
    TableReader table(in_);
    const Integers threads = table.column(known_.threads), stacks = table.column(known_.stacks),
                   labels = table.column(known_.label_sets);
    for (size_t i = 0; i < table.rows(); ++i)
      states.push_back({ThreadId{small(threads[i])}, StackId{small(stacks[i])}, LabelSetId{small(labels[i])}});
  }

  static constexpr uint64_t kLifetimePlaces = 64 * 8;
  ByteReader& in_;
  const Symbols::Mark& known_;
  size_t contexts_ = 0;
};

}  // namespace

std::string encode_bucket(const TallyBucket& bucket) {
  ByteWriter out;
  out.zigzag(bucket.from_ns);
  out.zigzag(bucket.to_ns);
  out.varint(bucket.tally.slot_shift());
  write_contexts(bucket.tally, out);
  write_stacks(bucket.tally, out);
  write_allocations(bucket.tally, out);
  write_memory(bucket.tally, out);
  write_objects(bucket.tally, out);
  write_exceptions(bucket.tally, out);
  write_kept(bucket.tally, out);
  TableWriter(kTraceTypes, out).column([&](size_t i) { return bucket.tally.events()[i]; });
  const auto& states = bucket.states;
  TableWriter(states.size(), out)
      .column([&](size_t i) { return index(states[i].thread); })
      .column([&](size_t i) { return index(states[i].stack); })
      .column([&](size_t i) { return index(states[i].labels); });
  return out.take();
}

std::optional<TallyBucket> decode_bucket(std::string_view bytes, const Symbols::Mark& known) {
  ByteReader in(bytes);
  return BucketReader(in, known).read();
}

}  // namespace pycroscope

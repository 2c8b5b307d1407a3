#include "daemon/store/symbol_codec.h"

#include <array>

#include "daemon/store/bytes.h"
#include "daemon/store/zstd_codec.h"

namespace pycroscope {
namespace {

constexpr int kZstdLevel = 6;

constexpr uint32_t Symbols::Mark::* kTables[] = {
    &Symbols::Mark::strings, &Symbols::Mark::files,     &Symbols::Mark::functions, &Symbols::Mark::locations,
    &Symbols::Mark::stacks,  &Symbols::Mark::processes, &Symbols::Mark::threads,   &Symbols::Mark::label_sets};

void write_code(const Symbols& symbols, const Symbols::Mark& from, const Symbols::Mark& to, ByteWriter& out) {
  for (uint32_t i = from.strings; i < to.strings; ++i) {
    std::string_view text = symbols.string(StringId{i});
    out.varint(text.size());
    out.bytes(text);
  }
  for (uint32_t i = from.files; i < to.files; ++i) out.varint(index(symbols.file(FileId{i}).path));
  for (uint32_t i = from.functions; i < to.functions; ++i) {
    const Function& f = symbols.function(FunctionId{i});
    for (uint32_t field : {index(f.name), index(f.file), f.first_line, static_cast<uint32_t>(f.kind)})
      out.varint(field);
  }
  for (uint32_t i = from.locations; i < to.locations; ++i) {
    const Location& l = symbols.location(LocationId{i});
    out.varint(index(l.function));
    out.varint(l.line);
    out.zigzag(l.offset);
  }
  for (uint32_t i = from.stacks; i < to.stacks; ++i) {
    const Stack& s = symbols.stack(StackId{i});
    out.varint(i - index(s.parent));
    out.varint(index(s.location));
  }
}

void write_rest(const Symbols& symbols, const Symbols::Mark& from, const Symbols::Mark& to, ByteWriter& out) {
  for (uint32_t i = from.processes; i < to.processes; ++i) {
    const TracedProcess& p = symbols.process(ProcessId{i});
    out.zigzag(p.pid);
    out.varint(index(p.command));
    out.varint(p.parent);
  }
  for (uint32_t i = from.threads; i < to.threads; ++i) {
    const Thread& t = symbols.thread(ThreadId{i});
    out.varint(index(t.process));
    out.zigzag(t.tid);
    out.varint(index(t.name));
  }
  for (uint32_t i = from.label_sets; i < to.label_sets; ++i) {
    std::span<const Label> labels = symbols.labels(LabelSetId{i});
    out.varint(labels.size());
    for (const Label& label : labels) {
      out.varint(index(label.key));
      out.varint(index(label.value));
    }
  }
}

// Reads ids that must be below the size of their table.
class SymbolReader {
 public:
  SymbolReader(std::string_view bytes, Symbols& symbols) : in_(bytes), symbols_(symbols) {}

  bool read() {
    Symbols::Mark have = symbols_.mark(), counts;
    for (auto table : kTables)
      if (in_.varint32() != have.*table) in_.fail();
    for (auto table : kTables) counts.*table = in_.varint32();
    repeat(counts.strings, [&] { return expect(have.strings, symbols_.intern_string(in_.bytes(in_.varint()))); });
    repeat(counts.files, [&] { return expect(have.files, symbols_.intern_file(id<StringId>(have.strings))); });
    repeat(counts.functions, [&] { return expect(have.functions, read_function(have)); });
    repeat(counts.locations, [&] { return expect(have.locations, read_location(have)); });
    repeat(counts.stacks, [&] { return expect(have.stacks, read_stack(have)); });
    repeat(counts.processes, [&] { return expect(have.processes, read_process(have)); });
    repeat(counts.threads, [&] { return expect(have.threads, read_thread(have)); });
    repeat(counts.label_sets, [&] { return expect(have.label_sets, read_labels(have)); });
    repeat(in_.varint32(), [&] {
      auto thread = id<ThreadId>(have.threads);
      auto name = id<StringId>(have.strings);
      if (in_.ok()) symbols_.rename_thread(thread, name);
      return in_.ok();
    });
    if (in_.finished()) return true;
    repeat(in_.varint32(), [&] {
      const auto location = id<LocationId>(have.locations);
      const auto name = id<StringId>(have.strings);
      if (in_.ok()) symbols_.set_opcode(location, name);
      return in_.ok();
    });
    return in_.finished();
  }

 private:
  // Each entry is at least one byte, which bounds the work that a count can ask for.
  void repeat(uint32_t count, auto entry) {
    for (uint32_t i = 0; in_.ok() && i < count; ++i)
      if (!entry()) in_.fail();
  }

  // Interning something twice yields an old id, which a stored table cannot contain.
  template <class Id>
  bool expect(uint32_t& size, Id got) {
    return in_.ok() && index(got) == size++;
  }

  template <class Id>
  Id id(uint32_t limit) {
    uint32_t value = in_.varint32();
    if (value >= limit) in_.fail();
    return Id{in_.ok() ? value : 0};
  }

  int32_t int32() {
    int64_t value = in_.zigzag();
    if (value < INT32_MIN || value > INT32_MAX) in_.fail();
    return static_cast<int32_t>(value);
  }

  FunctionId read_function(const Symbols::Mark& have) {
    Function f{id<StringId>(have.strings), id<FileId>(have.files), in_.varint32(), {}};
    f.kind = static_cast<v1::FrameKind>(in_.varint32() & INT32_MAX);
    return in_.ok() ? symbols_.intern_function(f) : FunctionId{};
  }
  LocationId read_location(const Symbols::Mark& have) {
    Location l{id<FunctionId>(have.functions), in_.varint32(), int32()};
    return in_.ok() ? symbols_.intern_location(l) : LocationId{};
  }
  StackId read_stack(const Symbols::Mark& have) {
    uint32_t distance = in_.varint32();
    if (distance == 0 || distance > have.stacks) in_.fail();
    auto location = id<LocationId>(have.locations);
    return in_.ok() ? symbols_.intern_stack(StackId{have.stacks - distance}, location) : StackId{};
  }
  ProcessId read_process(const Symbols::Mark& have) {
    TracedProcess p{int32(), id<StringId>(have.strings), in_.varint32()};
    if (p.parent > symbols_.mark().processes) in_.fail();
    return in_.ok() ? symbols_.intern_process(p) : ProcessId{};
  }
  ThreadId read_thread(const Symbols::Mark& have) {
    auto process = id<ProcessId>(have.processes);
    int32_t tid = int32();
    auto name = id<StringId>(have.strings);
    return in_.ok() ? symbols_.add_thread(process, tid, name) : ThreadId{};
  }
  LabelSetId read_labels(const Symbols::Mark& have) {
    std::vector<Label> labels;
    repeat(in_.varint32(), [&] {
      labels.push_back({id<StringId>(have.strings), id<StringId>(have.strings)});
      return in_.ok();
    });
    return in_.ok() ? symbols_.intern_labels(labels) : LabelSetId{};
  }

  ByteReader in_;
  Symbols& symbols_;
};

}  // namespace

std::optional<std::string> SymbolsWritten::delta(const Symbols& symbols) const {
  Symbols::Mark now = symbols.mark();
  const auto opcodes = symbols.opcodes().subspan(opcodes_);
  if (now == mark_ && symbols.thread_name_changes() == name_changes_ && opcodes.empty()) return std::nullopt;
  ByteWriter out;
  for (auto table : kTables) out.varint(mark_.*table);
  for (auto table : kTables) out.varint(now.*table - mark_.*table);
  write_code(symbols, mark_, now, out);
  write_rest(symbols, mark_, now, out);
  std::vector<uint32_t> renamed;
  for (uint32_t i = 0; i < thread_names_.size(); ++i)
    if (symbols.thread(ThreadId{i}).name != thread_names_[i]) renamed.push_back(i);
  out.varint(renamed.size());
  for (uint32_t thread : renamed) {
    out.varint(thread);
    out.varint(index(symbols.thread(ThreadId{thread}).name));
  }
  if (!opcodes.empty()) out.varint(opcodes.size());
  for (const Opcode& opcode : opcodes) {
    out.varint(index(opcode.location));
    out.varint(index(opcode.name));
  }
  return zstd_compress(out.view(), kZstdLevel);
}

void SymbolsWritten::advance(const Symbols& symbols) {
  mark_ = symbols.mark();
  name_changes_ = symbols.thread_name_changes();
  opcodes_ = symbols.opcodes().size();
  thread_names_.resize(mark_.threads);
  for (uint32_t i = 0; i < mark_.threads; ++i) thread_names_[i] = symbols.thread(ThreadId{i}).name;
}

bool apply_symbols(std::string_view bytes, Symbols& symbols) {
  std::optional<std::string> plain = zstd_decompress_limited(bytes, kMaxSymbolBytes);
  return plain && SymbolReader(*plain, symbols).read();
}

}  // namespace pycroscope

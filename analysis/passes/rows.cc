#include "analysis/passes/rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <type_traits>
#include <vector>

namespace pycroscope {
namespace {

const std::string& text(const v1::View& v, uint32_t id) { return v.symbols().strings(static_cast<int>(id)); }

const std::string& path_of(const v1::View& v, uint32_t function) {
  uint32_t file = v.symbols().functions().file(static_cast<int>(function));
  return text(v, v.symbols().files().path(static_cast<int>(file)));
}

bool is_python(const v1::View& v, uint32_t function) {
  return v.symbols().functions().kind(static_cast<int>(function)) == v1::FRAME_KIND_PYTHON;
}

Cell name_cell(const v1::View& v, uint32_t function) {
  const std::string& name = text(v, v.symbols().functions().name(static_cast<int>(function)));
  if (is_python(v, function)) return name;
  return fmt::format("{} ({})", name, path_of(v, function));
}

Cell file_cell(const v1::View& v, uint32_t function) {
  if (!is_python(v, function) || path_of(v, function).empty()) return {};
  return path_of(v, function);
}

Cell line_cell(uint32_t line) { return line ? Cell{uint64_t{line}} : Cell{}; }

Cell first_line_cell(const v1::View& v, uint32_t function) {
  return line_cell(v.symbols().functions().first_line(static_cast<int>(function)));
}

// `process` and `thread` are indices + 1 as the tables have them, 0 for several.
Cell pid_cell(const v1::View& v, uint32_t process) {
  if (process == 0) return {};
  return static_cast<uint64_t>(v.symbols().processes().pid(static_cast<int>(process - 1)));
}

Cell tid_cell(const v1::View& v, uint32_t thread) {
  if (thread == 0) return {};
  return static_cast<uint64_t>(v.symbols().threads().tid(static_cast<int>(thread - 1)));
}

Cell thread_cell(const v1::View& v, uint32_t thread) {
  if (thread == 0) return {};
  return text(v, v.symbols().threads().name(static_cast<int>(thread - 1)));
}

Cell labels_cell(const v1::View& v, uint32_t label_set) {
  const v1::LabelSet& set = v.symbols().label_sets().sets(static_cast<int>(label_set));
  LabelTexts texts;
  for (int i = 0; i < set.key_size(); ++i) texts.emplace_back(text(v, set.key(i)), text(v, set.value(i)));
  return texts;
}

// Columns of figures the session does not know are empty; `known` is the field of v1::Knows that says so.
template <class Repeated>
Cell figure(bool known, const Repeated& values, int row) {
  if (!known || row >= values.size()) return {};
  return Cell{values.Get(row)};
}

// A column of the table T: a figure known when `KNOWN` of the header's v1::Knows is true.
#define PYC_FIGURE(T, KEY, UNIT, KNOWN)                                                                 \
  Column {                                                                                              \
    #KEY, ColumnUnit::UNIT,                                                                             \
        [](const v1::View& v, int row) { return figure(v.header().knows().KNOWN(), v.T().KEY(), row); } \
  }
// A text or line derived by F from the index in the column REF.
#define PYC_SYMBOL(T, KEY, UNIT, REF, F)                                                           \
  Column {                                                                                         \
    KEY, ColumnUnit::UNIT, [](const v1::View& v, int row) -> Cell { return F(v, v.T().REF(row)); } \
  }

// What the rows of table T are of.
#define PYC_LABELS(T)                                                                                               \
  Column {                                                                                                          \
    "labels", ColumnUnit::kLabels, [](const v1::View& v, int row) { return labels_cell(v, v.T().label_set(row)); }, \
        [](const v1::View& v) { return !v.T().label_set().empty(); }                                                \
  }
#define PYC_PROCESS(T)                                                                                  \
  Column {                                                                                              \
    "pid", ColumnUnit::kId, [](const v1::View& v, int row) { return pid_cell(v, v.T().process(row)); }, \
        [](const v1::View& v) { return !v.T().process().empty(); }                                      \
  }
#define PYC_PROCESS_THREAD(T)                                                                                   \
  PYC_PROCESS(T),                                                                                               \
      Column{"tid", ColumnUnit::kId, [](const v1::View& v, int row) { return tid_cell(v, v.T().thread(row)); }, \
             [](const v1::View& v) { return !v.T().thread().empty(); }},                                        \
      Column {                                                                                                  \
    "thread", ColumnUnit::kText, [](const v1::View& v, int row) { return thread_cell(v, v.T().thread(row)); },  \
        [](const v1::View& v) { return !v.T().thread().empty(); }                                               \
  }
#define PYC_GROUP(T) PYC_PROCESS_THREAD(T), PYC_LABELS(T)

constexpr Column kFunctions[] = {
    PYC_SYMBOL(functions, "function", kText, function, name_cell),
    PYC_SYMBOL(functions, "file", kText, function, file_cell),
    PYC_SYMBOL(functions, "line", kLine, function, first_line_cell),
    PYC_FIGURE(functions, samples, kCount, samples),
    PYC_FIGURE(functions, self_samples, kCount, samples),
    PYC_FIGURE(functions, calls, kCount, calls),
    PYC_FIGURE(functions, self_ns, kNanoseconds, wall),
    PYC_FIGURE(functions, total_ns, kNanoseconds, wall),
    PYC_FIGURE(functions, self_cpu_ns, kNanoseconds, cpu),
    PYC_FIGURE(functions, total_cpu_ns, kNanoseconds, cpu),
    PYC_FIGURE(functions, alloc_bytes, kBytes, allocations),
    PYC_GROUP(functions),
};

constexpr Column kLines[] = {
    PYC_SYMBOL(lines, "file", kText, function, file_cell),
    {"line", ColumnUnit::kLine, [](const v1::View& v, int row) { return line_cell(v.lines().line(row)); }},
    PYC_SYMBOL(lines, "function", kText, function, name_cell),
    PYC_FIGURE(lines, samples, kCount, samples),
    PYC_FIGURE(lines, self_samples, kCount, samples),
    PYC_FIGURE(lines, hits, kCount, hits),
    PYC_FIGURE(lines, self_ns, kNanoseconds, wall),
    PYC_FIGURE(lines, total_ns, kNanoseconds, wall),
    PYC_FIGURE(lines, self_cpu_ns, kNanoseconds, cpu),
    PYC_FIGURE(lines, total_cpu_ns, kNanoseconds, cpu),
    PYC_FIGURE(lines, allocations, kCount, allocations),
    PYC_FIGURE(lines, alloc_bytes, kBytes, allocations),
    PYC_GROUP(lines),
};

constexpr Column kEdges[] = {
    PYC_SYMBOL(edges, "function", kText, function, name_cell),
    PYC_SYMBOL(edges, "file", kText, function, file_cell),
    PYC_SYMBOL(edges, "line", kLine, function, first_line_cell),
    PYC_SYMBOL(edges, "other_function", kText, other, name_cell),
    PYC_SYMBOL(edges, "other_file", kText, other, file_cell),
    PYC_SYMBOL(edges, "other_line", kLine, other, first_line_cell),
    PYC_FIGURE(edges, calls, kCount, calls),
    PYC_FIGURE(edges, samples, kCount, samples),
    PYC_FIGURE(edges, total_ns, kNanoseconds, wall),
    PYC_FIGURE(edges, total_cpu_ns, kNanoseconds, cpu),
    PYC_GROUP(edges),
};

// Root, group and folded nodes have a text instead of a frame.
bool is_label(const v1::View& v, int row) { return v.tree().label_string(row) != 0; }

uint32_t function_of(const v1::View& v, int row) {
  return v.symbols().frames().function(static_cast<int>(v.tree().frame(row)));
}

constexpr Column kTree[] = {
    {"id", ColumnUnit::kId, [](const v1::View&, int row) { return Cell{static_cast<uint64_t>(row)}; }},
    {"parent", ColumnUnit::kId,
     [](const v1::View& v, int row) { return row ? Cell{uint64_t{v.tree().parent(row)}} : Cell{}; }},
    {"function", ColumnUnit::kText,
     [](const v1::View& v, int row) {
       return is_label(v, row) ? Cell{text(v, v.tree().label_string(row))} : name_cell(v, function_of(v, row));
     }},
    {"file", ColumnUnit::kText,
     [](const v1::View& v, int row) { return is_label(v, row) ? Cell{} : file_cell(v, function_of(v, row)); }},
    {"line", ColumnUnit::kLine,
     [](const v1::View& v, int row) {
       if (is_label(v, row)) return Cell{};
       return line_cell(v.symbols().frames().line(static_cast<int>(v.tree().frame(row))));
     }},
    PYC_FIGURE(tree, calls, kCount, calls),
    PYC_FIGURE(tree, samples, kCount, samples),
    PYC_FIGURE(tree, self_samples, kCount, samples),
    PYC_FIGURE(tree, self_ns, kNanoseconds, wall),
    PYC_FIGURE(tree, total_ns, kNanoseconds, wall),
    PYC_FIGURE(tree, self_cpu_ns, kNanoseconds, cpu),
    PYC_FIGURE(tree, total_cpu_ns, kNanoseconds, cpu),
    PYC_GROUP(tree),
};

int thread_of(const v1::View& v, int row) { return static_cast<int>(v.threads().thread(row)); }

constexpr Column kThreads[] = {
    {"pid", ColumnUnit::kId,
     [](const v1::View& v, int row) {
       uint32_t process = v.symbols().threads().process(thread_of(v, row));
       return Cell{static_cast<uint64_t>(v.symbols().processes().pid(static_cast<int>(process)))};
     }},
    {"tid", ColumnUnit::kId,
     [](const v1::View& v, int row) {
       return Cell{static_cast<uint64_t>(v.symbols().threads().tid(thread_of(v, row)))};
     }},
    {"name", ColumnUnit::kText,
     [](const v1::View& v, int row) { return Cell{text(v, v.symbols().threads().name(thread_of(v, row)))}; }},
    PYC_FIGURE(threads, samples, kCount, samples),
    PYC_FIGURE(threads, on_cpu_ns, kNanoseconds, cpu),
    PYC_FIGURE(threads, off_cpu_ns, kNanoseconds, off_cpu),
    PYC_FIGURE(threads, gil_held_ns, kNanoseconds, gil),
    PYC_FIGURE(threads, gil_wait_ns, kNanoseconds, gil),
    PYC_LABELS(threads),
};

// Of a function that there may be none of: index + 1.
Cell name_or_none(const v1::View& v, uint32_t function) { return function ? name_cell(v, function - 1) : Cell{}; }
Cell file_or_none(const v1::View& v, uint32_t function) { return function ? file_cell(v, function - 1) : Cell{}; }
Cell text_or_none(const v1::View& v, uint32_t id) { return id ? Cell{text(v, id)} : Cell{}; }

// A column of the table T that every session with the view knows; less than 0: this figure is not known.
template <class Value>
Cell known(Value value) {
  if constexpr (std::is_signed_v<Value>)
    if (value < 0) return {};
  return Cell{value};
}
#define PYC_KNOWN(T, KEY, UNIT)                                                              \
  Column {                                                                                   \
    #KEY, ColumnUnit::UNIT, [](const v1::View& v, int row) { return known(v.T().KEY(row)); } \
  }
// A size or a count that is stored with a sign, so that it can be unknown.
template <class Value>
Cell unsigned_or_none(Value value) {
  return value < 0 ? Cell{} : Cell{static_cast<uint64_t>(value)};
}
#define PYC_SIGNED(T, KEY, UNIT)                                                                        \
  Column {                                                                                              \
    #KEY, ColumnUnit::UNIT, [](const v1::View& v, int row) { return unsigned_or_none(v.T().KEY(row)); } \
  }
#define PYC_LINE(T, KEY)                                                                          \
  Column {                                                                                        \
    #KEY, ColumnUnit::kLine, [](const v1::View& v, int row) { return line_cell(v.T().KEY(row)); } \
  }
#define PYC_NUMBER(T, KEY, UNIT)                                                                                   \
  Column {                                                                                                         \
    #KEY, ColumnUnit::UNIT, [](const v1::View& v, int row) { return Cell{static_cast<uint64_t>(v.T().KEY(row))}; } \
  }

constexpr Column kInstructions[] = {
    PYC_SYMBOL(instructions, "file", kText, function, file_cell),
    PYC_LINE(instructions, line),
    PYC_SYMBOL(instructions, "function", kText, function, name_cell),
    PYC_NUMBER(instructions, offset, kId),
    PYC_SYMBOL(instructions, "opcode", kText, opcode, text_or_none),
    PYC_FIGURE(instructions, samples, kCount, samples),
    PYC_FIGURE(instructions, hits, kCount, hits),
    PYC_FIGURE(instructions, self_ns, kNanoseconds, wall),
    PYC_GROUP(instructions),
};

constexpr Column kAllocations[] = {
    PYC_SYMBOL(allocations, "function", kText, function, name_or_none),
    PYC_SYMBOL(allocations, "file", kText, function, file_or_none),
    PYC_LINE(allocations, line),
    PYC_SYMBOL(allocations, "type", kText, type, text_or_none),
    PYC_KNOWN(allocations, allocations, kCount),
    PYC_KNOWN(allocations, bytes, kBytes),
    PYC_KNOWN(allocations, frees, kCount),
    PYC_KNOWN(allocations, live_count, kCount),
    PYC_KNOWN(allocations, live_bytes, kBytes),
    PYC_KNOWN(allocations, peak_bytes, kBytes),
    PYC_KNOWN(allocations, temporary_count, kCount),
    PYC_GROUP(allocations),
};

constexpr Column kObjects[] = {
    PYC_SYMBOL(objects, "type", kText, type, text),
    PYC_KNOWN(objects, count, kCount),
    PYC_KNOWN(objects, bytes, kBytes),
    PYC_KNOWN(objects, alive, kCount),
    PYC_KNOWN(objects, lifetime_p50_ns, kNanoseconds),
    PYC_KNOWN(objects, lifetime_p99_ns, kNanoseconds),
    PYC_KNOWN(objects, refcount_seen_max, kCount),
    PYC_SYMBOL(objects, "function", kText, function, name_or_none),
    PYC_SYMBOL(objects, "file", kText, function, file_or_none),
    PYC_LINE(objects, line),
    PYC_GROUP(objects),
};

constexpr Column kMemory[] = {
    PYC_KNOWN(memory, time_ns, kNanoseconds),
    PYC_SIGNED(memory, python_bytes, kBytes),
    PYC_SIGNED(memory, native_bytes, kBytes),
    PYC_SIGNED(memory, rss_bytes, kBytes),
    PYC_PROCESS(memory),
};

constexpr Column kGc[] = {
    PYC_KNOWN(gc, time_ns, kNanoseconds),
    PYC_NUMBER(gc, generation, kId),
    PYC_KNOWN(gc, pause_ns, kNanoseconds),
    PYC_KNOWN(gc, collected, kCount),
    PYC_KNOWN(gc, uncollectable, kCount),
    PYC_SYMBOL(gc, "function", kText, function, name_or_none),
    PYC_SYMBOL(gc, "file", kText, function, file_or_none),
    PYC_LINE(gc, line),
    PYC_PROCESS_THREAD(gc),
};

constexpr Column kImports[] = {
    PYC_SYMBOL(imports, "module", kText, module, text),
    PYC_SYMBOL(imports, "file", kText, file, text_or_none),
    PYC_SYMBOL(imports, "parent", kText, parent, text_or_none),
    PYC_KNOWN(imports, self_ns, kNanoseconds),
    PYC_KNOWN(imports, total_ns, kNanoseconds),
    PYC_PROCESS_THREAD(imports),
};

constexpr Column kExceptions[] = {
    PYC_SYMBOL(exceptions, "type", kText, type, text),
    PYC_SYMBOL(exceptions, "function", kText, function, name_or_none),
    PYC_SYMBOL(exceptions, "file", kText, function, file_or_none),
    PYC_LINE(exceptions, line),
    PYC_KNOWN(exceptions, raised, kCount),
    PYC_SYMBOL(exceptions, "caught_function", kText, caught_function, name_or_none),
    PYC_SYMBOL(exceptions, "caught_file", kText, caught_function, file_or_none),
    PYC_LINE(exceptions, caught_line),
    PYC_KNOWN(exceptions, frames_unwound, kCount),
    PYC_KNOWN(exceptions, cost_ns, kNanoseconds),
    PYC_GROUP(exceptions),
};

#undef PYC_FIGURE
#undef PYC_KNOWN
#undef PYC_SIGNED
#undef PYC_LINE
#undef PYC_NUMBER
#undef PYC_PROCESS
#undef PYC_PROCESS_THREAD
#undef PYC_SYMBOL
#undef PYC_LABELS
#undef PYC_GROUP

}  // namespace

std::span<const Column> view_columns(v1::ViewKind kind) {
  switch (kind) {
    case v1::VIEW_KIND_FUNCTIONS:
      return kFunctions;
    case v1::VIEW_KIND_LINES:
      return kLines;
    case v1::VIEW_KIND_CALLERS:
    case v1::VIEW_KIND_CALLEES:
      return kEdges;
    case v1::VIEW_KIND_TREE:
      return kTree;
    case v1::VIEW_KIND_THREADS:
      return kThreads;
    case v1::VIEW_KIND_INSTRUCTIONS:
      return kInstructions;
    case v1::VIEW_KIND_ALLOCATIONS:
      return kAllocations;
    case v1::VIEW_KIND_OBJECTS:
      return kObjects;
    case v1::VIEW_KIND_MEMORY:
      return kMemory;
    case v1::VIEW_KIND_GC:
      return kGc;
    case v1::VIEW_KIND_IMPORTS:
      return kImports;
    case v1::VIEW_KIND_EXCEPTIONS:
      return kExceptions;
    default:
      return {};
  }
}

Result<const Column*> find_column(v1::ViewKind kind, std::string_view key) {
  std::span<const Column> columns = view_columns(kind);
  auto it = std::ranges::find(columns, key, &Column::key);
  if (it != columns.end()) return &*it;
  std::vector<std::string_view> keys;
  for (const Column& column : columns) keys.push_back(column.key);
  return fail(ErrorCode::kInvalid, fmt::format("the view \"{}\" cannot be sorted by \"{}\", only by one of: {}",
                                               view_kind_name(kind), key, fmt::join(keys, ", ")));
}

int row_count(const v1::View& v) {
  switch (v.table_case()) {
    case v1::View::kFunctions:
      return v.functions().function_size();
    case v1::View::kLines:
      return v.lines().function_size();
    case v1::View::kEdges:
      return v.edges().function_size();
    case v1::View::kTree:
      return v.tree().parent_size();
    case v1::View::kThreads:
      return v.threads().thread_size();
    case v1::View::kInstructions:
      return v.instructions().function_size();
    case v1::View::kAllocations:
      return v.allocations().function_size();
    case v1::View::kObjects:
      return v.objects().type_size();
    case v1::View::kMemory:
      return v.memory().time_ns_size();
    case v1::View::kGc:
      return v.gc().time_ns_size();
    case v1::View::kImports:
      return v.imports().module_size();
    case v1::View::kExceptions:
      return v.exceptions().type_size();
    case v1::View::TABLE_NOT_SET:
      return 0;
  }
  return 0;
}

std::string_view view_kind_name(v1::ViewKind kind) {
  switch (kind) {
    case v1::VIEW_KIND_FUNCTIONS:
      return "functions";
    case v1::VIEW_KIND_LINES:
      return "lines";
    case v1::VIEW_KIND_CALLERS:
      return "callers";
    case v1::VIEW_KIND_CALLEES:
      return "callees";
    case v1::VIEW_KIND_TREE:
      return "tree";
    case v1::VIEW_KIND_THREADS:
      return "threads";
    case v1::VIEW_KIND_INSTRUCTIONS:
      return "instructions";
    case v1::VIEW_KIND_ALLOCATIONS:
      return "allocations";
    case v1::VIEW_KIND_OBJECTS:
      return "objects";
    case v1::VIEW_KIND_MEMORY:
      return "memory";
    case v1::VIEW_KIND_GC:
      return "gc";
    case v1::VIEW_KIND_IMPORTS:
      return "imports";
    case v1::VIEW_KIND_EXCEPTIONS:
      return "exceptions";
    default:
      return "";
  }
}

}  // namespace pycroscope

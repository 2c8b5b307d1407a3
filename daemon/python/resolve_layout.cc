#include "daemon/python/resolve_layout.h"

#include <algorithm>
#include <ranges>

#include "daemon/python/debug_offsets.h"
#include "daemon/python/layouts.h"
#include "daemon/python/version.h"

namespace pycroscope {
namespace {

bool has_debug_offsets(const LayoutRow& row) { return row.debug_offsets != DebugOffsetsShape::kNone; }

bool is_free_threaded(const LayoutRow& row) { return row.layout.free_threaded != 0; }

Result<pyc_layout> complete(const TargetMemory& memory, RemoteAddress runtime, uint32_t version_hex,
                            const LayoutRow& row) {
  pyc_layout layout = row.layout;
  layout.version = version_hex;
  PYC_CHECK(apply_debug_offsets(memory, runtime, row.debug_offsets, layout));
  return layout;
}

// Whether the main thread's state knows its interpreter, as far as there are both: what a wrong guess would not find.
bool fits_runtime(const TargetMemory& memory, RemoteAddress runtime, const pyc_layout& layout) {
  const auto interpreter = memory.read_pointer(runtime + layout.runtime_interpreters_head);
  if (!interpreter || !*interpreter) return interpreter.has_value();
  const auto thread = memory.read_pointer(*interpreter + layout.interpreter_threads_head);
  if (!thread || !*thread) return thread.has_value();
  return memory.read_pointer(*thread + layout.thread_interp) == *interpreter;
}

Result<pyc_layout> guess(const TargetMemory& memory, RemoteAddress runtime, uint32_t version_hex, bool free_threaded) {
  for (const LayoutRow& row : std::views::reverse(layout_rows())) {
    if (!has_debug_offsets(row) || is_free_threaded(row) != free_threaded) continue;
    const auto layout = complete(memory, runtime, version_hex, row);
    if (layout && fits_runtime(memory, runtime, *layout)) return layout;
  }
  return fail(ErrorCode::kFailed, unsupported_version(version_text(version_hex)));
}

}  // namespace

Result<pyc_layout> resolve_layout(const TargetMemory& memory, RemoteAddress runtime, uint32_t version_hex) {
  const auto rows = layout_rows();
  const bool is_guess = !caution_about(version_hex).empty();
  const auto row = std::ranges::find(rows, version_hex >> 16, &LayoutRow::version);
  if (!is_guess && (row == rows.end() || !is_settled_version(version_hex))) {
    return fail(ErrorCode::kFailed, unsupported_version(version_text(version_hex)));
  }
  if (!is_guess && !has_debug_offsets(*row)) return complete(memory, runtime, version_hex, *row);

  PYC_TRY(const bool free_threaded, read_free_threaded(memory, runtime, version_hex));
  if (is_guess) return guess(memory, runtime, version_hex, free_threaded);
  return complete(memory, runtime, version_hex, free_threaded ? *std::next(row) : *row);
}

}  // namespace pycroscope

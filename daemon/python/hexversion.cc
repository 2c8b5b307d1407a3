#include "daemon/python/hexversion.h"

#include "analysis/model/result.h"
#include "daemon/python/dict_reader.h"
#include "daemon/python/layouts.h"
#include "daemon/python/object_types.h"
#include "daemon/python/version.h"
#include "daemon/target/page_cache.h"

namespace pycroscope {
namespace {

constexpr size_t kMaxNames = 4096;  // in sys

Result<uint32_t> read_with(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress runtime) {
  PYC_TRY(const auto interpreter, memory.read_pointer(runtime + layout.runtime_interpreters_head));
  PYC_TRY(const auto names, memory.read_pointer(interpreter + layout.interpreter_sysdict));
  PYC_TRY(const auto object, find_item(memory, layout, names, "hexversion", kMaxNames));
  if (!object) return fail(ErrorCode::kMemory, "sys has no hexversion");
  PYC_TRY(const auto value, read_int(memory, layout, *object));
  if (value.negative || value.digits.size() != 1) return fail(ErrorCode::kMemory, "no version");
  return value.digits[0];
}

}  // namespace

std::optional<uint32_t> read_hexversion(const TargetMemory& memory, RemoteAddress runtime) {
  const PageCache pages(memory);
  for (const LayoutRow& row : layout_rows()) {
    if (row.layout.interpreter_sysdict == PYC_NO_OFFSET) continue;
    const auto version = read_with(pages, row.layout, runtime);
    if (version && *version >> 16 == row.version && plausible_version(*version)) return *version;
  }
  return std::nullopt;
}

}  // namespace pycroscope

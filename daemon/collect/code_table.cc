#include "daemon/collect/code_table.h"

#include <cstring>

namespace pycroscope {
namespace {

CapturedMemory captured_memory(const pyc_code_record& record, std::span<const std::byte> bytes) {
  CapturedMemory memory;
  for (const pyc_code_part& part : record.parts) {
    if (part.captured > bytes.size()) break;
    memory.add(RemoteAddress(part.address), bytes.first(part.captured));
    bytes = bytes.subspan(part.captured);
  }
  return memory;
}

// Long names are cut where a person stops reading.
constexpr size_t kCutName = 256;

// Names only: those of the code object whose line table could not be had.
std::optional<CodeInfo> decode_names(const pyc_code_record& record, const TargetMemory& memory,
                                     const pyc_layout& layout) {
  const auto name = read_unicode(memory, layout, RemoteAddress(record.parts[PYC_PART_QUALNAME].address), kCutName);
  const auto file = read_unicode(memory, layout, RemoteAddress(record.parts[PYC_PART_FILENAME].address), kCutName);
  const RemoteAddress code(record.parts[PYC_PART_CODE].address);
  const auto line = memory.read<uint32_t>(code + layout.code_first_line);
  if (!name || !file || !line) return std::nullopt;
  return CodeInfo{.qualname = *name, .filename = *file, .first_line = *line, .lines = {}};
}

}  // namespace

std::optional<CodeInfo> CodeTable::decode(const pyc_code_record& record, const TargetMemory& captured) const {
  const RemoteAddress code(record.parts[PYC_PART_CODE].address);
  if (auto info = decode_code(captured, layout_, code)) return *std::move(info);
  // Something was cut. Live memory completes it if it is the same object before and after.
  const auto is_same = [&] { return code_identity(memory_, layout_, code) == record.identity; };
  if (!is_same()) return std::nullopt;
  auto info = decode_code(memory_, layout_, code);
  if (!info || !is_same()) return std::nullopt;
  return *std::move(info);
}

std::optional<FileId> CodeTable::add(std::span<const std::byte> bytes, Symbols& symbols) {
  pyc_code_record record;
  if (bytes.size() < sizeof record) return std::nullopt;
  std::memcpy(&record, bytes.data(), sizeof record);
  if (codes_.contains(record.identity)) return std::nullopt;

  const CapturedMemory captured = captured_memory(record, bytes.subspan(sizeof record));
  auto info = decode(record, captured);
  const bool has_lines = info.has_value();
  if (!info) info = decode_names(record, captured, layout_);
  if (!info) return std::nullopt;
  const FileId file = symbols.intern_file(symbols.intern_string(info->filename));
  const FunctionId function = symbols.intern_function(
      {.name = symbols.intern_string(info->qualname), .file = file, .first_line = info->first_line});
  codes_.emplace(record.identity, Code{function, std::move(info->lines), has_lines});
  return file;
}

std::optional<LocationId> CodeTable::locate(const pyc_frame& frame, Symbols& symbols) const {
  const auto it = codes_.find(frame.identity);
  if (it == codes_.end()) return std::nullopt;
  const Code& code = it->second;
  const uint32_t line = code.has_lines ? code.lines.line(frame.offset) : 0;
  return symbols.intern_location({.function = code.function, .line = line, .offset = frame.offset});
}

}  // namespace pycroscope

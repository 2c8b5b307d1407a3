#include "daemon/python/locals.h"

#include <span>
#include <utility>

#include "daemon/python/code_object.h"

namespace pycroscope {
namespace {

constexpr uint64_t kMaxVariables = 4096;
constexpr size_t kMaxNameLength = 200;

// co_localspluskinds, v3.11.0 to v3.15.0 Include/internal/pycore_code.h.
constexpr uint8_t kCell = 0x40;
constexpr uint8_t kFree = 0x80;

// Tags of _PyStackRef, v3.15.0 Include/internal/pycore_stackref.h (Py_INT_TAG, Py_TAG_INVALID); bit 0 alone says who
// counts the reference.
constexpr uint64_t kTaggedInt = 3;
constexpr uint64_t kNoObject = 2;

}  // namespace

Status LocalsReader::add_variables(RemoteAddress names, bool are_cells, std::vector<Variable>& variables) const {
  PYC_TRY(const auto count, memory_.read<uint64_t>(names + layout_.var_size));
  if (count > kMaxVariables) return fail(ErrorCode::kMemory, "a code object with too many variables");
  std::vector<RemoteAddress> objects(count);
  PYC_CHECK(memory_.read_bytes(names + layout_.tuple_items, std::as_writable_bytes(std::span(objects))));
  for (const RemoteAddress object : objects) {
    PYC_TRY(auto name, read_unicode(memory_, layout_, object, kMaxNameLength));
    variables.push_back({std::move(name), are_cells});
  }
  return {};
}

Result<std::vector<LocalsReader::Variable>> LocalsReader::read_variables(RemoteAddress code) const {
  std::vector<Variable> variables;
  PYC_TRY(const auto names, memory_.read_pointer(code + layout_.code_locals_names));
  PYC_CHECK(add_variables(names, false, variables));
  if (layout_.code_locals_kinds == PYC_NO_OFFSET) {
    for (const uint16_t field : {layout_.code_cellvars, layout_.code_freevars}) {
      PYC_TRY(const auto cells, memory_.read_pointer(code + field));
      PYC_CHECK(add_variables(cells, true, variables));
    }
    return variables;
  }
  PYC_TRY(const auto kinds, memory_.read_pointer(code + layout_.code_locals_kinds));
  std::vector<uint8_t> kind_bytes(variables.size());
  PYC_CHECK(memory_.read_bytes(kinds + layout_.bytes_data, std::as_writable_bytes(std::span(kind_bytes))));
  for (size_t i = 0; i < variables.size(); ++i) variables[i].is_cell = (kind_bytes[i] & (kCell | kFree)) != 0;
  return variables;
}

const std::vector<LocalsReader::Variable>& LocalsReader::variables_of(RemoteAddress code) {
  const auto known = variables_.find(code.address());
  if (known != variables_.end()) return known->second;
  auto fresh = read_variables(code);
  return variables_.emplace(code.address(), fresh ? *std::move(fresh) : std::vector<Variable>()).first->second;
}

std::optional<std::string> LocalsReader::text_of(uint64_t slot, bool is_cell) {
  const uint64_t tag = slot & layout_.stackref_tag;
  if (tag == kTaggedInt) return std::to_string(static_cast<int64_t>(slot) >> 2);
  if (tag == kNoObject) return std::nullopt;
  RemoteAddress value(slot - tag);
  // Until the function has run its first instructions the slot of a cell variable holds the argument itself.
  if (is_cell && value) value = values_.look_into_cell(value);
  if (!value) return std::nullopt;
  return values_.of(value);
}

std::vector<LocalVariable> LocalsReader::read(const PythonFrame& frame) {
  const std::vector<Variable>& variables = variables_of(frame.code);
  std::vector<uint64_t> slots(variables.size());
  std::vector<LocalVariable> locals;
  if (!memory_.read_bytes(frame.frame + layout_.frame_locals, std::as_writable_bytes(std::span(slots)))) return locals;
  for (size_t i = 0; i < slots.size(); ++i) {
    if (auto text = text_of(slots[i], variables[i].is_cell)) locals.push_back({variables[i].name, *std::move(text)});
  }
  return locals;
}

}  // namespace pycroscope

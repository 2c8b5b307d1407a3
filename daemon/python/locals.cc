#include "daemon/python/locals.h"

#include <span>
#include <utility>

#include "daemon/python/code_object.h"

namespace pycroscope {
namespace {

constexpr uint64_t kMaxVariables = 4096;
constexpr size_t kMaxNameLength = 200;

// co_localspluskinds, v3.11.0 to v3.13.0 Include/internal/pycore_code.h.
constexpr uint8_t kCell = 0x40;
constexpr uint8_t kFree = 0x80;

}  // namespace

Result<std::vector<LocalsReader::Variable>> LocalsReader::read_variables(RemoteAddress code) const {
  PYC_TRY(const auto names, memory_.read_pointer(code + layout_.code_locals_names));
  PYC_TRY(const auto kinds, memory_.read_pointer(code + layout_.code_locals_kinds));
  PYC_TRY(const auto count, memory_.read<uint64_t>(names + layout_.var_size));
  if (count > kMaxVariables) return fail(ErrorCode::kMemory, "a code object with too many variables");
  std::vector<RemoteAddress> name_objects(count);
  std::vector<uint8_t> kind_bytes(count);
  PYC_CHECK(memory_.read_bytes(names + layout_.tuple_items, std::as_writable_bytes(std::span(name_objects))));
  PYC_CHECK(memory_.read_bytes(kinds + layout_.bytes_data, std::as_writable_bytes(std::span(kind_bytes))));
  std::vector<Variable> variables;
  for (size_t i = 0; i < count; ++i) {
    PYC_TRY(auto name, read_unicode(memory_, layout_, name_objects[i], kMaxNameLength));
    variables.push_back({std::move(name), (kind_bytes[i] & (kCell | kFree)) != 0});
  }
  return variables;
}

const std::vector<LocalsReader::Variable>& LocalsReader::variables_of(RemoteAddress code) {
  const auto known = variables_.find(code.address());
  if (known != variables_.end()) return known->second;
  auto fresh = read_variables(code);
  return variables_.emplace(code.address(), fresh ? *std::move(fresh) : std::vector<Variable>()).first->second;
}

std::vector<LocalVariable> LocalsReader::read(const PythonFrame& frame) {
  const std::vector<Variable>& variables = variables_of(frame.code);
  std::vector<RemoteAddress> slots(variables.size());
  std::vector<LocalVariable> locals;
  if (!memory_.read_bytes(frame.frame + layout_.frame_locals, std::as_writable_bytes(std::span(slots)))) return locals;
  for (size_t i = 0; i < slots.size(); ++i) {
    // Until the function has run its first instructions the slot of a cell variable holds the argument itself.
    const RemoteAddress value = variables[i].is_cell && slots[i] ? values_.look_into_cell(slots[i]) : slots[i];
    if (value) locals.push_back({variables[i].name, values_.of(value)});
  }
  return locals;
}

}  // namespace pycroscope

#include "daemon/python/module_reader.h"

#include "daemon/python/dict_reader.h"

namespace pycroscope {
namespace {

constexpr size_t kMaxInterpreters = 4096;
constexpr size_t kMaxModules = 1 << 16;

}  // namespace

Result<RemoteAddress> ModuleReader::main_interpreter() const {
  PYC_TRY(RemoteAddress interpreter, memory_.read_pointer(python_.runtime + layout_.runtime_interpreters_head));
  for (size_t i = 0; interpreter && i < kMaxInterpreters; ++i) {
    PYC_TRY(const auto id, memory_.read<int64_t>(interpreter + layout_.interpreter_id));
    if (id == 0) return interpreter;
    PYC_TRY(interpreter, memory_.read_pointer(interpreter + layout_.interpreter_next));
  }
  return fail(ErrorCode::kMemory, "there is no main interpreter");
}

Result<RemoteAddress> ModuleReader::global(RemoteAddress interpreter, std::string_view module, std::string_view name) {
  PYC_TRY(const auto modules, memory_.read_pointer(interpreter + layout_.interpreter_modules));
  PYC_TRY(const auto found, find(modules, module));
  if (!found || !is(found, ObjectKind::kModule)) return RemoteAddress();
  // md_dict is a module's first field.
  PYC_TRY(const auto globals, memory_.read_pointer(found + layout_.object_type + sizeof(uint64_t)));
  return find(globals, name);
}

bool ModuleReader::is(RemoteAddress object, ObjectKind kind) {
  const auto type = types_.type_of(object);
  return type && (*type)->kind == kind;
}

Result<RemoteAddress> ModuleReader::find(RemoteAddress dict, std::string_view name) {
  const auto type = dict ? types_.type_of(dict) : fail(ErrorCode::kMemory, "no dict");
  if (!type || !(*type)->is_dict) return RemoteAddress();
  PYC_TRY(const auto item, find_item(memory_, layout_, dict, name, kMaxModules));
  return item.value_or(RemoteAddress());
}

}  // namespace pycroscope

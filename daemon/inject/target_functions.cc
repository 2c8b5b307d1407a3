#include "daemon/inject/target_functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <vector>

#include "daemon/inject/opcode_table.h"
#include "daemon/target/elf_image.h"
#include "daemon/target/modules.h"

namespace pycroscope {
namespace {

// The modules' images, those that come first winning.
class Exports {
 public:
  Exports(const TargetMemory& memory, const std::vector<Module>& modules) {
    for (const Module& module : modules)
      if (auto image = ElfImage::read(memory, module.header.begin)) images_.push_back(*std::move(image));
  }
  RemoteAddress find(std::initializer_list<std::string_view> names) const {
    for (const std::string_view name : names)
      for (const ElfImage& image : images_)
        if (const auto address = image.find(name); address && *address) return *address;
    return {};
  }

 private:
  std::vector<ElfImage> images_;
};

bool is_c_library(const Module& module) {
  const std::string name = module.file_name();
  for (const std::string_view known : {"libc.so", "libc-", "libpthread", "ld-musl", "libc.musl", "ld-linux", "ld-2"})
    if (name.starts_with(known)) return true;
  return false;
}

// Where two bytes are in code that say `syscall`, be it within another instruction.
RemoteAddress find_system_call(const TargetMemory& memory, const std::vector<MapEntry>& maps) {
  constexpr size_t kChunk = 1 << 16;
  std::vector<std::byte> code(kChunk);
  for (const MapEntry& map : maps) {
    if (!map.executable || !map.readable) continue;
    for (uint64_t at = map.begin.address(); at + kChunk <= map.end.address(); at += kChunk) {
      if (!memory.read_bytes(RemoteAddress(at), code)) continue;
      constexpr std::array kSystemCall{std::byte{0x0f}, std::byte{0x05}};
      const auto found = std::ranges::search(code, kSystemCall);
      if (!found.empty()) return RemoteAddress(at + static_cast<uint64_t>(found.begin() - code.begin()));
    }
  }
  return {};
}

template <class Pointer>
void set(Pointer& pointer, RemoteAddress address) {
  pointer = reinterpret_cast<Pointer>(address.address());
}

}  // namespace

Result<TargetFunctions> find_target_functions(const Process& process, const TargetMemory& memory,
                                              const PythonRuntime& python) {
  const LiveModules modules(process);
  PYC_TRY(const std::vector<Module> all, modules.list());
  PYC_TRY(const std::vector<MapEntry> maps, read_maps(process));
  std::vector<Module> pythons, c_libraries;
  for (const Module& module : all) {
    if (module.is_executable || module.path() == python.runtime_module) pythons.push_back(module);
    if (is_c_library(module)) c_libraries.push_back(module);
  }
  const Exports python_exports(memory, pythons), c_exports(memory, c_libraries);
  TargetFunctions found;
  for (const MapEntry& map : maps)
    if (std::ranges::find(c_libraries, map.path, &Module::path) != c_libraries.end()) found.c_library.push_back(map);
  found.system_call = find_system_call(memory, found.c_library);

  std::string_view missing;
  const auto need = [&](auto& function, const Exports& exports, std::initializer_list<std::string_view> names) {
    const RemoteAddress address = exports.find(names);
    if (!address) missing = *names.begin();
    set(function, address);
  };
  pyc_probe_api& api = found.api;
  need(api.none, python_exports, {"_Py_NoneStruct"});
  need(api.c_function_type, python_exports, {"PyCFunction_Type"});
  need(api.method_descriptor_type, python_exports, {"PyMethodDescr_Type"});
  need(api.gil_ensure, python_exports, {"PyGILState_Ensure"});
  need(api.gil_release, python_exports, {"PyGILState_Release"});
  need(api.thread_state, python_exports, {"PyThreadState_Get"});
  // Where Python has not got these its fields tell the same.
  if (python.layout.hook_kind != PYC_HOOK_FRAMES) {
    need(api.thread_state_id, python_exports, {"PyThreadState_GetID"});
    need(api.frame, python_exports, {"PyThreadState_GetFrame"});
    need(api.frame_back, python_exports, {"PyFrame_GetBack"});
    need(api.frame_code, python_exports, {"PyFrame_GetCode"});
  }
  if (python.layout.hook_kind != PYC_HOOK_MONITORING) {
    need(api.evaluate, python_exports, {"_PyEval_EvalFrameDefault"});
    set(api.evaluator, python_exports.find({"_PyInterpreterState_GetEvalFrameFunc"}));
    set(api.set_evaluator, python_exports.find({"_PyInterpreterState_SetEvalFrameFunc"}));
    if (!api.evaluator) api.set_evaluator = nullptr;
    need(api.set_profile, python_exports, {"PyEval_SetProfile"});
    need(api.set_trace, python_exports, {"PyEval_SetTrace"});
    set(api.set_profile_of, python_exports.find({"_PyEval_SetProfile"}));
    set(api.set_trace_of, python_exports.find({"_PyEval_SetTrace"}));
    need(api.first_thread, python_exports, {"PyInterpreterState_ThreadHead"});
    need(api.next_thread, python_exports, {"PyThreadState_Next"});
    need(api.swap_thread, python_exports, {"PyThreadState_Swap"});
    need(api.handled, python_exports, {"PyErr_GetExcInfo"});
  }
  need(api.frame_line, python_exports, {"PyFrame_GetLineNumber"});
  need(api.line_of, python_exports, {"PyCode_Addr2Line"});
  need(api.traceback, python_exports, {"PyException_GetTraceback"});
  need(api.sys_object, python_exports, {"PySys_GetObject"});
  need(api.attribute, python_exports, {"PyObject_GetAttrString"});
  need(api.call, python_exports, {"PyObject_CallFunctionObjArgs"});
  need(api.import, python_exports, {"PyImport_ImportModule"});
  need(api.item, python_exports, {"PyObject_GetItem"});
  need(api.new_long, python_exports, {"PyLong_FromLong"});
  need(api.long_value, python_exports, {"PyLong_AsLong"});
  need(api.new_text, python_exports, {"PyUnicode_FromString"});
  need(api.utf8, python_exports, {"PyUnicode_AsUTF8AndSize"});
  need(api.encoded, python_exports, {"PyUnicode_AsEncodedString"});
  need(api.bytes, python_exports, {"PyBytes_AsString"});
  need(api.bytes_size, python_exports, {"PyBytes_Size"});
  need(api.new_type, python_exports, {"PyType_FromSpec"});
  need(api.new_object, python_exports, {"_PyObject_New"});
  need(api.call_vector, python_exports, {"PyVectorcall_Call"});
  need(api.fetch_error, python_exports, {"PyErr_Fetch"});
  need(api.restore_error, python_exports, {"PyErr_Restore"});
  need(api.retain, python_exports, {"Py_IncRef"});
  need(api.release, python_exports, {"Py_DecRef"});
  need(api.clear_error, python_exports, {"PyErr_Clear"});
  set(api.c_method_type, python_exports.find({"PyCMethod_Type"}));
  set(api.request_code_extra,
      python_exports.find({"PyUnstable_Eval_RequestCodeExtraIndex", "_PyEval_RequestCodeExtraIndex"}));
  set(api.set_code_extra, python_exports.find({"PyUnstable_Code_SetExtra", "_PyCode_SetExtra"}));
  if (!api.set_code_extra) api.request_code_extra = nullptr;
  need(api.clock_gettime, c_exports, {"clock_gettime"});
  need(api.pthread_self, c_exports, {"pthread_self"});
  need(api.pthread_create, c_exports, {"pthread_create"});
  need(api.pthread_detach, c_exports, {"pthread_detach"});
  set(api.pthread_attributes, c_exports.find({"pthread_getattr_np"}));
  set(api.pthread_stack, c_exports.find({"pthread_attr_getstack"}));
  set(api.pthread_end_attributes, c_exports.find({"pthread_attr_destroy"}));
  if (!api.pthread_stack || !api.pthread_end_attributes) api.pthread_attributes = nullptr;
  if (api.evaluate) {
    std::vector<MapEntry> python_maps;
    std::ranges::copy_if(maps, std::back_inserter(python_maps), [&](const MapEntry& map) {
      return std::ranges::find(pythons, map.path, &Module::path) != pythons.end();
    });
    const OpcodeTable table =
        find_opcode_table(memory, python_maps, RemoteAddress(reinterpret_cast<uint64_t>(api.evaluate)), python.layout);
    set(api.opcode_targets, table.begin);
    found.opcode_targets_writable = table.writable;
  }
  found.add_pending_call = python_exports.find({"Py_AddPendingCall"});
  if (!found.add_pending_call) missing = "Py_AddPendingCall";
  if (!missing.empty())
    return fail(ErrorCode::kFailed,
                fmt::format("{} does not export {}, which tracing needs: sample it instead, without --trace",
                            modules.target_name(), missing));
  return found;
}

}  // namespace pycroscope

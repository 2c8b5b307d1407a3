#include "daemon/python/thread_names.h"

#include <optional>
#include <utility>

#include "daemon/python/code_object.h"
#include "daemon/python/dict_reader.h"
#include "daemon/python/object_types.h"
#include "daemon/target/page_cache.h"

namespace pycroscope {
namespace {

constexpr size_t kMaxInterpreters = 4096;
constexpr size_t kMaxThreads = 1 << 16;
constexpr size_t kMaxModules = 1 << 16;
constexpr size_t kMaxNameLength = 200;

// One look at the target: each page as it was when it was first needed, so that what belongs together is mostly of one
// moment.
class Snapshot {
 public:
  Snapshot(const TargetMemory& memory, const PythonRuntime& python)
      : memory_(memory),
        python_(python),
        layout_(python.layout),
        types_(memory_, layout_),
        names_(memory_, layout_, "_name") {}

  // The interpreter with id 0.
  Result<RemoteAddress> main_interpreter() const {
    PYC_TRY(RemoteAddress interpreter, memory_.read_pointer(python_.runtime + layout_.runtime_interpreters_head));
    for (size_t i = 0; interpreter && i < kMaxInterpreters; ++i) {
      PYC_TRY(const auto id, memory_.read<int64_t>(interpreter + layout_.interpreter_id));
      if (id == 0) return interpreter;
      PYC_TRY(interpreter, memory_.read_pointer(interpreter + layout_.interpreter_next));
    }
    return fail(ErrorCode::kMemory, "there is no main interpreter");
  }

  // pthread_self() of the thread whose state is the oldest: new ones are put in front.
  Result<uint64_t> main_thread(RemoteAddress interpreter) const {
    PYC_TRY(RemoteAddress tstate, memory_.read_pointer(interpreter + layout_.interpreter_threads_head));
    RemoteAddress oldest;
    for (size_t i = 0; tstate && i < kMaxThreads; ++i) {
      oldest = tstate;
      PYC_TRY(tstate, memory_.read_pointer(tstate + layout_.thread_next));
    }
    if (tstate || !oldest) return fail(ErrorCode::kMemory, "the list of threads makes no sense");
    return memory_.read<uint64_t>(oldest + layout_.thread_id);
  }

  // threading._active; null when `threading` has not been imported.
  Result<RemoteAddress> find_active(RemoteAddress interpreter) {
    PYC_TRY(const auto modules, memory_.read_pointer(interpreter + layout_.interpreter_modules));
    PYC_TRY(const auto threading, find(modules, "threading"));
    if (!threading || !is(threading, ObjectKind::kModule)) return RemoteAddress();
    // md_dict is a module's first field.
    PYC_TRY(const auto globals, memory_.read_pointer(threading + layout_.object_type + sizeof(uint64_t)));
    return find(globals, "_active");
  }

  bool is_dict(RemoteAddress object) { return is(object, ObjectKind::kDict); }

  void add_names(RemoteAddress active, ThreadNames& names) {
    const auto contents = read_dict(memory_, layout_, active, kMaxThreads);
    if (!contents) return;
    for (const DictEntry& entry : contents->entries) {
      const auto ident = read_ident(entry.key);
      if (!ident) continue;
      if (auto name = read_name(entry.value)) names.insert_or_assign(*ident, *std::move(name));
    }
  }

 private:
  bool is(RemoteAddress object, ObjectKind kind) {
    const auto type = types_.type_of(object);
    return type && (*type)->kind == kind;
  }

  // Null when `dict` is no dict or has no such key.
  Result<RemoteAddress> find(RemoteAddress dict, std::string_view name) {
    const auto type = dict ? types_.type_of(dict) : fail(ErrorCode::kMemory, "no dict");
    if (!type || !(*type)->is_dict) return RemoteAddress();
    PYC_TRY(const auto item, find_item(memory_, layout_, dict, name, kMaxModules));
    return item.value_or(RemoteAddress());
  }

  std::optional<uint64_t> read_ident(RemoteAddress object) {
    if (!is(object, ObjectKind::kInt)) return std::nullopt;
    const auto value = read_int(memory_, layout_, object);
    if (!value || value->negative || value->digits.size() > 3) return std::nullopt;
    uint64_t ident = 0;
    for (size_t i = value->digits.size(); i-- > 0;) ident = ident << 30 | value->digits[i];
    return ident;
  }

  std::optional<std::string> read_name(RemoteAddress thread) {
    const auto type = types_.type_of(thread);
    if (!type) return std::nullopt;
    const auto name = names_.read(thread, **type);
    if (!name || !*name) return std::nullopt;
    const auto name_type = types_.type_of(**name);
    if (!name_type || !(*name_type)->is_str) return std::nullopt;
    auto text = read_unicode(memory_, layout_, **name, kMaxNameLength);
    if (!text || text->empty()) return std::nullopt;
    return *std::move(text);
  }

  const PageCache memory_;
  const PythonRuntime& python_;
  const pyc_layout& layout_;
  ObjectTypes types_;
  AttributeReader names_;
};

}  // namespace

Result<ThreadNames> ThreadNameReader::read_once() {
  Snapshot snapshot(memory_, python_);
  ThreadNames names;
  PYC_TRY(const RemoteAddress interpreter, snapshot.main_interpreter());
  PYC_TRY(const uint64_t main_thread, snapshot.main_thread(interpreter));
  names.emplace(main_thread, "MainThread");
  if (!active_ || !snapshot.is_dict(active_)) {
    const auto found = snapshot.find_active(interpreter);
    active_ = found ? *found : RemoteAddress();
  }
  if (active_) snapshot.add_names(active_, names);
  return names;
}

// A name may be freed, and its memory be another text's, between the look at the thread and the look at the text: only
// what two looks agree on counts.
Result<ThreadNames> ThreadNameReader::read() {
  PYC_TRY(const ThreadNames first, read_once());
  PYC_TRY(ThreadNames names, read_once());
  std::erase_if(names, [&](const auto& entry) {
    const auto before = first.find(entry.first);
    return before == first.end() || before->second != entry.second;
  });
  return names;
}

Result<ThreadNames> python_thread_names(const TargetMemory& memory, const PythonRuntime& python) {
  return ThreadNameReader(memory, python).read();
}

}  // namespace pycroscope

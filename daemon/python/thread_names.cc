#include "daemon/python/thread_names.h"

#include <optional>
#include <utility>

#include "daemon/python/code_object.h"
#include "daemon/python/dict_reader.h"
#include "daemon/python/module_reader.h"
#include "daemon/target/page_cache.h"

namespace pycroscope {
namespace {

constexpr size_t kMaxThreads = 1 << 16;
constexpr size_t kMaxNameLength = 200;

// One look at the target: each page as it was when it was first needed, so that what belongs together is mostly of one
// moment.
class Snapshot {
 public:
  Snapshot(const TargetMemory& memory, const PythonRuntime& python)
      : memory_(memory), layout_(python.layout), modules_(memory_, python), names_(memory_, layout_, "_name") {}

  Result<RemoteAddress> main_interpreter() const { return modules_.main_interpreter(); }

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
    return modules_.global(interpreter, "threading", "_active");
  }

  bool is_dict(RemoteAddress object) { return modules_.is(object, ObjectKind::kDict); }

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
  std::optional<uint64_t> read_ident(RemoteAddress object) {
    if (!modules_.is(object, ObjectKind::kInt)) return std::nullopt;
    const auto value = read_int(memory_, layout_, object);
    if (!value || value->negative || value->digits.size() > 3) return std::nullopt;
    uint64_t ident = 0;
    for (size_t i = value->digits.size(); i-- > 0;) ident = ident << 30 | value->digits[i];
    return ident;
  }

  std::optional<std::string> read_name(RemoteAddress thread) {
    const auto type = modules_.types().type_of(thread);
    if (!type) return std::nullopt;
    const auto name = names_.read(thread, **type);
    if (!name || !*name) return std::nullopt;
    const auto name_type = modules_.types().type_of(**name);
    if (!name_type || !(*name_type)->is_str) return std::nullopt;
    auto text = read_unicode(memory_, layout_, **name, kMaxNameLength);
    if (!text || text->empty()) return std::nullopt;
    return *std::move(text);
  }

  const PageCache memory_;
  const pyc_layout& layout_;
  ModuleReader modules_;
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

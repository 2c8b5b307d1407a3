#include "daemon/python/task_finder.h"

#include <string>

#include "daemon/python/asyncio_offsets.h"
#include "daemon/python/dict_reader.h"
#include "daemon/python/module_reader.h"
#include "daemon/python/unicode.h"
#include "daemon/target/page_cache.h"

namespace pycroscope {
namespace {

constexpr size_t kMaxThreads = 1 << 16;
constexpr size_t kMaxThreadEntries = 4096;
constexpr std::string_view kModule = "_asyncio";
constexpr std::string_view kLoopKey = "__asyncio_running_event_loop__";

// One look at the target's objects.
class Look {
 public:
  Look(const TargetMemory& memory, const PythonRuntime& python)
      : memory_(memory), layout_(python.layout), modules_(memory_, python) {}

  // All but the offsets. Fails also when there is nothing yet.
  Result<pyc_tasks> find() {
    pyc_tasks tasks{};
    PYC_TRY(const RemoteAddress interpreter, modules_.main_interpreter());
    PYC_TRY(const RemoteAddress type, modules_.global(interpreter, kModule, "Task"));
    if (!type) return fail(ErrorCode::kNotFound, "asyncio is not imported");
    tasks.type = type.address();
    if (layout_.task_kind == PYC_TASK_OF_THREAD) return tasks;

    PYC_TRY(const RemoteAddress by_loop, modules_.global(interpreter, kModule, "_current_tasks"));
    if (!modules_.is(by_loop, ObjectKind::kDict)) return fail(ErrorCode::kNotFound, "asyncio has no running tasks");
    tasks.by_loop = by_loop.address();
    if (layout_.task_kind == PYC_TASK_BY_THREAD_LOOP) return tasks;

    PYC_TRY(const RemoteAddress key, find_loop_key(interpreter));
    if (!key) return fail(ErrorCode::kNotFound, "no loop has run");
    tasks.loop_key = key.address();
    return tasks;
  }

 private:
  // It is interned: the same object in all threads.
  Result<RemoteAddress> find_loop_key(RemoteAddress interpreter) {
    PYC_TRY(RemoteAddress tstate, memory_.read_pointer(interpreter + layout_.interpreter_threads_head));
    for (size_t i = 0; tstate && i < kMaxThreads; ++i) {
      PYC_TRY(const RemoteAddress dict, memory_.read_pointer(tstate + layout_.thread_tasks));
      const RemoteAddress key = find_loop_key_in(dict);
      if (key) return key;
      PYC_TRY(tstate, memory_.read_pointer(tstate + layout_.thread_next));
    }
    return RemoteAddress();
  }

  RemoteAddress find_loop_key_in(RemoteAddress dict) {
    if (!dict || !modules_.is(dict, ObjectKind::kDict)) return {};
    const auto contents = read_dict(memory_, layout_, dict, kMaxThreadEntries);
    if (!contents) return {};
    for (const DictEntry& entry : contents->entries)
      if (equals_ascii(memory_, layout_, entry.key, kLoopKey)) return entry.key;
    return {};
  }

  const PageCache memory_;
  const pyc_layout& layout_;
  ModuleReader modules_;
};

bool is_same(const pyc_tasks& a, const pyc_tasks& b) {
  return a.type == b.type && a.by_loop == b.by_loop && a.loop_key == b.loop_key;
}

}  // namespace

std::optional<pyc_tasks> find_tasks(const TargetModules& modules, const TargetMemory& memory,
                                    const PythonRuntime& python) {
  auto tasks = Look(memory, python).find();
  if (!tasks) return std::nullopt;
  // The target runs: only what two looks agree on counts.
  const auto again = Look(memory, python).find();
  if (!again || !is_same(*tasks, *again)) return std::nullopt;
  const auto offsets = asyncio_offsets(modules, memory, python);
  if (!offsets) return std::nullopt;
  tasks->thread_tasks = offsets->thread_tasks;
  tasks->task_name = offsets->task_name;
  return *tasks;
}

}  // namespace pycroscope

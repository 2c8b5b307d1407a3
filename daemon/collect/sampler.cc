#include "daemon/collect/sampler.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "bpf/include/code_identity.h"
#include "daemon/os/file.h"
#include "daemon/os/kernel_features.h"
#include "daemon/target/namespaces.h"

// The skeleton declares its variables with the global names of the C structs.
using pycroscope::pyc_counters;
using pycroscope::pyc_settings;
using pycroscope::pyc_wait;
#include "bpf/sampler.skel.h"

namespace pycroscope {
namespace {

struct DestroySkeleton {
  void operator()(sampler_bpf* skeleton) const { sampler_bpf::destroy(skeleton); }
};
struct FreeRing {
  void operator()(ring_buffer* ring) const { ::ring_buffer__free(ring); }
};

bool is_inside(uint16_t offset, size_t width, size_t size) { return offset == PYC_NO_OFFSET || offset + width <= size; }

// What the program masks offsets with (bpf/lib): a layout beyond would be read wrongly.
Status check_layout(const pyc_layout& layout) {
  const uint16_t code_end = layout.code_identity_end;
  const bool fits =
      std::max({layout.thread_next, layout.thread_interp, layout.thread_frame, layout.thread_id}) <= 248 &&
      layout.frame_size <= 128 &&
      std::max({layout.frame_previous, layout.frame_code, layout.frame_instr}) + 8 <= layout.frame_size &&
      is_inside(layout.frame_owner, 1, layout.frame_size) && is_inside(layout.frame_tlbc_index, 4, layout.frame_size) &&
      layout.code_identity_begin < code_end && code_end <= 256 &&
      code_end - layout.code_identity_begin <= 8 * PYC_IDENTITY_WORDS &&
      std::max({layout.code_name, layout.code_qualname, layout.code_filename, layout.code_linetable}) + 8 <= code_end &&
      is_inside(layout.code_bytecode, 8, code_end) && is_inside(layout.code_version, 4, code_end) &&
      std::max({layout.unicode_length, layout.unicode_hash, layout.var_size}) <= layout.unicode_state &&
      layout.unicode_state <= 56 && layout.bytes_data <= 64 && layout.keys_indices <= 56 &&
      is_inside(layout.keys_size, 8, layout.keys_indices) && is_inside(layout.keys_kind, 1, layout.keys_indices) &&
      is_inside(layout.keys_log2_index_bytes, 1, layout.keys_indices) && layout.keys_entries + 8 <= layout.keys_indices;
  if (fits) return {};
  return fail(ErrorCode::kFailed, "this build of Python lays out its structures in a way that is not supported");
}

// 0: the root one.
uint32_t own_pid_namespace() {
  constexpr uint32_t kRoot = 0xeffffffc;  // PROC_PID_INIT_INO of the kernel
  const auto own = static_cast<uint32_t>(namespace_inode("self", "pid").value_or(kRoot));
  return own == kRoot ? 0 : own;
}

// The kernel may be as quick to write as we are to read: then a drain would never end.
constexpr size_t kMaxRecordsADrain = size_t{1} << 16;
constexpr int kEnough = -EAGAIN;

struct Drain {
  RecordVisitor visit;
  size_t records = 0;
};

int visit_record(void* context, void* data, size_t size) {
  auto& drain = *static_cast<Drain*>(context);
  drain.visit(std::span(static_cast<const std::byte*>(data), size));
  return ++drain.records < kMaxRecordsADrain ? 0 : kEnough;
}

}  // namespace

struct Sampler::Loaded {
  std::unique_ptr<sampler_bpf, DestroySkeleton> skeleton;
  Drain drain;  // what the ring calls
  std::unique_ptr<ring_buffer, FreeRing> ring;
};

Sampler::Sampler(std::unique_ptr<Loaded> loaded) : loaded_(std::move(loaded)) {}
Sampler::~Sampler() = default;

Result<std::unique_ptr<Sampler>> Sampler::load(size_t ring_bytes) {
  // libbpf explains failures in many lines on stderr; ours is one sentence.
  ::libbpf_set_print(nullptr);
  auto loaded = std::make_unique<Loaded>();
  loaded->skeleton.reset(sampler_bpf::open());
  if (!loaded->skeleton) return std::unexpected(bpf_load_error(errno));
  ::bpf_map__set_max_entries(loaded->skeleton->maps.pyc_ring, static_cast<uint32_t>(ring_bytes));
  if (const int error = sampler_bpf::load(loaded->skeleton.get()); error != 0)
    return std::unexpected(bpf_load_error(-error));
  const int map = ::bpf_map__fd(loaded->skeleton->maps.pyc_ring);
  loaded->ring.reset(::ring_buffer__new(map, visit_record, &loaded->drain, nullptr));
  if (!loaded->ring) return std::unexpected(bpf_load_error(errno));
  return std::unique_ptr<Sampler>(new Sampler(std::move(loaded)));
}

size_t Sampler::ring_bytes() const { return ::bpf_map__max_entries(loaded_->skeleton->maps.pyc_ring); }

void Sampler::configure(uint64_t tick_period_ns, bool follow_children, bool read_gil) {
  loaded_->skeleton->bss->pyc_settings = {.ring_wakeup = ring_bytes() / 4,
                                          .follow_children = follow_children,
                                          .read_gil = read_gil,
                                          .stride = 1,
                                          .pid_namespace = own_pid_namespace(),
                                          .tick_period_ns = tick_period_ns,
                                          .tick_origin_ns = 0};
}

void Sampler::set_stride(uint32_t stride) { loaded_->skeleton->bss->pyc_settings.stride = stride; }

Status Sampler::follow_lifecycle() {
  auto& links = loaded_->skeleton->links;
  const auto& programs = loaded_->skeleton->progs;
  links.pyc_on_exec = ::bpf_program__attach(programs.pyc_on_exec);
  links.pyc_on_exit = ::bpf_program__attach(programs.pyc_on_exit);
  if (settings().follow_children) links.pyc_on_fork = ::bpf_program__attach(programs.pyc_on_fork);
  const bool attached = links.pyc_on_exec && links.pyc_on_exit && (links.pyc_on_fork || !settings().follow_children);
  if (!attached) return std::unexpected(bpf_load_error(errno));
  return {};
}

Status Sampler::follow_waits() {
  auto& link = loaded_->skeleton->links.pyc_on_switch;
  link = ::bpf_program__attach(loaded_->skeleton->progs.pyc_on_switch);
  if (!link) return std::unexpected(bpf_load_error(errno));
  return {};
}

int Sampler::thread_tick_program() const { return ::bpf_program__fd(loaded_->skeleton->progs.pyc_on_thread_tick); }
int Sampler::cpu_tick_program() const { return ::bpf_program__fd(loaded_->skeleton->progs.pyc_on_cpu_tick); }

Status Sampler::set_process(pid_t tgid, const PythonRuntime* python) {
  pyc_process process{};
  process.generation = next_generation();
  process.salt = pyc_mix(static_cast<uint64_t>(tgid), process.generation);
  if (python) {
    PYC_CHECK(check_layout(python->layout));
    process.runtime = python->runtime.address();
    process.code_type = python->code_type.address();
    process.layout = python->layout;
    process.tasks = python->tasks;
  }
  const int map = ::bpf_map__fd(loaded_->skeleton->maps.pyc_processes);
  if (::bpf_map_update_elem(map, &tgid, &process, BPF_ANY) == 0) return {};
  return fail(ErrorCode::kFailed, fmt::format("cannot follow process {}: {}", tgid, errno_text(errno)));
}

void Sampler::set_tasks(pid_t tgid, const pyc_tasks& tasks) {
  const int map = ::bpf_map__fd(loaded_->skeleton->maps.pyc_processes);
  pyc_process process{};
  if (::bpf_map_lookup_elem(map, &tgid, &process) != 0) return;  // it has ended
  // The salt stays: it is the same program, whose code objects are known.
  process.generation = next_generation();
  process.tasks = tasks;
  ::bpf_map_update_elem(map, &tgid, &process, BPF_EXIST);
}

void Sampler::remove_process(pid_t tgid) {
  ::bpf_map_delete_elem(::bpf_map__fd(loaded_->skeleton->maps.pyc_processes), &tgid);
}

void Sampler::add_wait(const pyc_wait& wait) {
  ::bpf_map_update_elem(::bpf_map__fd(loaded_->skeleton->maps.pyc_waits), &wait.sample.tid, &wait, BPF_NOEXIST);
}

pyc_counters Sampler::counters() const { return loaded_->skeleton->bss->pyc_counters; }

const pyc_settings& Sampler::settings() const { return loaded_->skeleton->bss->pyc_settings; }

void Sampler::visit_waiting(const std::function<void(const pyc_wait&)>& visit) const {
  const int map = ::bpf_map__fd(loaded_->skeleton->maps.pyc_waits);
  std::vector<uint32_t> tids;
  uint32_t tid = 0;
  for (const uint32_t* previous = nullptr; ::bpf_map_get_next_key(map, previous, &tid) == 0; previous = &tid)
    tids.push_back(tid);
  pyc_wait wait, again;
  for (const uint32_t key : tids) {
    const bool read = ::bpf_map_lookup_elem(map, &key, &wait) == 0 && wait.sample.wait_begin_ns != 0 &&
                      wait.sample.time_ns == 0 && wait.error == PYC_OK;
    // What changes while it is copied is no wait any more, or a new one.
    if (!read || ::bpf_map_lookup_elem(map, &key, &again) != 0) continue;
    if (again.sample.wait_begin_ns == wait.sample.wait_begin_ns && again.sample.time_ns == 0) visit(wait);
  }
}

Status Sampler::drain(std::chrono::milliseconds timeout, const RecordVisitor& visit) {
  if (timeout.count() > 0) {
    pollfd ring{::ring_buffer__epoll_fd(loaded_->ring.get()), POLLIN, 0};
    ::poll(&ring, 1, static_cast<int>(timeout.count()));  // a signal ends the wait early, which is as well
  }
  loaded_->drain = {visit, 0};
  const int error = ::ring_buffer__consume(loaded_->ring.get());
  if (error < 0 && error != kEnough)
    return fail(ErrorCode::kFailed, fmt::format("cannot read the kernel's ring buffer: {}", errno_text(-error)));
  return {};
}

}  // namespace pycroscope

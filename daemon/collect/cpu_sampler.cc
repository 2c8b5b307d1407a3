#include "daemon/collect/cpu_sampler.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "bpf/include/code_identity.h"
#include "daemon/os/file.h"
#include "daemon/os/kernel_features.h"

// The skeleton declares its variables with the global names of the C structs.
using pycroscope::pyc_counters;
using pycroscope::pyc_settings;
#include "bpf/cpu_sampler.skel.h"

namespace pycroscope {
namespace {

struct DestroySkeleton {
  void operator()(cpu_sampler_bpf* skeleton) const { cpu_sampler_bpf::destroy(skeleton); }
};
struct FreeRing {
  void operator()(ring_buffer* ring) const { ::ring_buffer__free(ring); }
};

// What the program masks offsets with (bpf/lib): a layout beyond would be read wrongly.
Status check_layout(const pyc_layout& layout) {
  const bool fits =
      std::max({layout.thread_next, layout.thread_interp, layout.thread_frame, layout.thread_id}) <= 248 &&
      layout.frame_size <= 128 &&
      std::max({layout.frame_previous, layout.frame_code, layout.frame_instr}) + 8 <= layout.frame_size &&
      layout.frame_owner < layout.frame_size && layout.code_identity_begin < layout.code_identity_end &&
      layout.code_identity_end <= 256 &&
      layout.code_identity_end - layout.code_identity_begin <= 8 * PYC_IDENTITY_WORDS &&
      std::max({layout.code_name, layout.code_qualname, layout.code_filename, layout.code_linetable}) + 8 <=
          layout.code_identity_end &&
      std::max({layout.unicode_length, layout.unicode_hash, layout.unicode_state, layout.var_size}) <= 40 &&
      layout.bytes_data == 32;
  if (fits) return {};
  return fail(ErrorCode::kFailed, "this build of Python lays out its structures in a way that is not supported");
}

int visit_record(void* context, void* data, size_t size) {
  const auto& visit = *static_cast<const CpuSampler::Visitor*>(context);
  visit(std::span(static_cast<const std::byte*>(data), size));
  return 0;
}

}  // namespace

struct CpuSampler::Loaded {
  std::unique_ptr<cpu_sampler_bpf, DestroySkeleton> skeleton;
  Visitor visit;  // what the ring calls
  std::unique_ptr<ring_buffer, FreeRing> ring;
};

CpuSampler::CpuSampler(std::unique_ptr<Loaded> loaded) : loaded_(std::move(loaded)) {}
CpuSampler::~CpuSampler() = default;

Result<std::unique_ptr<CpuSampler>> CpuSampler::load(size_t ring_bytes) {
  // libbpf explains failures in many lines on stderr; ours is one sentence.
  ::libbpf_set_print(nullptr);
  auto loaded = std::make_unique<Loaded>();
  loaded->skeleton.reset(cpu_sampler_bpf::open());
  if (!loaded->skeleton) return std::unexpected(bpf_load_error(errno));
  ::bpf_map__set_max_entries(loaded->skeleton->maps.pyc_ring, static_cast<uint32_t>(ring_bytes));
  if (const int error = cpu_sampler_bpf::load(loaded->skeleton.get()); error != 0)
    return std::unexpected(bpf_load_error(-error));
  const int map = ::bpf_map__fd(loaded->skeleton->maps.pyc_ring);
  loaded->ring.reset(::ring_buffer__new(map, visit_record, &loaded->visit, nullptr));
  if (!loaded->ring) return std::unexpected(bpf_load_error(errno));
  return std::unique_ptr<CpuSampler>(new CpuSampler(std::move(loaded)));
}

size_t CpuSampler::ring_bytes() const { return ::bpf_map__max_entries(loaded_->skeleton->maps.pyc_ring); }

Status CpuSampler::configure(const PythonRuntime& python) {
  PYC_CHECK(check_layout(python.layout));
  loaded_->skeleton->bss->pyc_settings = {.runtime = python.runtime.address(),
                                          .code_type = python.code_type.address(),
                                          .ring_wakeup = ring_bytes() / 4,
                                          .layout = python.layout};
  return {};
}

int CpuSampler::program() const { return ::bpf_program__fd(loaded_->skeleton->progs.pyc_on_tick); }

pyc_counters CpuSampler::counters() const { return loaded_->skeleton->bss->pyc_counters; }

Status CpuSampler::drain(std::chrono::milliseconds timeout, const Visitor& visit) {
  if (timeout.count() > 0) {
    pollfd ring{::ring_buffer__epoll_fd(loaded_->ring.get()), POLLIN, 0};
    ::poll(&ring, 1, static_cast<int>(timeout.count()));  // a signal ends the wait early, which is as well
  }
  loaded_->visit = visit;
  if (const int error = ::ring_buffer__consume(loaded_->ring.get()); error < 0)
    return fail(ErrorCode::kFailed, fmt::format("cannot read the kernel's ring buffer: {}", errno_text(-error)));
  return {};
}

}  // namespace pycroscope

#include "daemon/session/choose_source.h"

#include <unistd.h>

#include <utility>

#include "daemon/collect/kernel_source.h"
#include "daemon/collect/read_source.h"
#include "daemon/os/perf_event.h"

namespace pycroscope {
namespace {

Result<std::unique_ptr<StackSource>> kernel_source(const v1::RecordingConfig& config, std::unique_ptr<Sampler> ready) {
  PYC_TRY(auto sampler, load_sampler(config, std::move(ready)));
  // Its clock is the other thing that may be refused.
  constexpr uint64_t kSecond = 1'000'000'000;
  PYC_CHECK(CpuClockEvent::open(::gettid(), kSecond, CpuClockEvent::Inherit::kThreads));
  return start_kernel_source(config, std::move(sampler));
}

}  // namespace

Result<ChosenSource> choose_source(const v1::RecordingConfig& config, std::unique_ptr<Sampler> ready) {
  if (config.sampler() != kReadSampler) {
    auto source = kernel_source(config, std::move(ready));
    if (source) return ChosenSource{*std::move(source), kEbpfSampler};
    if (config.sampler() == kEbpfSampler) return std::unexpected(std::move(source).error());
  }
  return ChosenSource{start_read_source(config), kReadSampler};
}

}  // namespace pycroscope

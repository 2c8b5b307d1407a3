// Stacks from BPF programs: in cpu mode at the ticks of each thread's CPU time, else at the ticks of each CPU, and each
// wait of a thread.
#pragma once

#include <memory>

#include "daemon/collect/sampler.h"
#include "daemon/collect/stack_source.h"
#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

// `config` is complete and valid, here and below. `ready` if it will do, else one that has been loaded now; it may be
// null. Loading takes tens of milliseconds: to be done before a session begins.
Result<std::unique_ptr<Sampler>> load_sampler(const v1::RecordingConfig& config, std::unique_ptr<Sampler> ready);

Result<std::unique_ptr<StackSource>> start_kernel_source(const v1::RecordingConfig& config,
                                                         std::unique_ptr<Sampler> sampler);

}  // namespace pycroscope

// Stacks by reads from outside, where the kernel or the rights do not allow BPF programs: a clock of our own, at each
// tick of which the memory of threads that run is read. Less exact than the kernel side, which stands still with the
// thread: a stack that changes while it is read is lost, and counted.
#pragma once

#include <memory>

#include "daemon/collect/stack_source.h"
#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

// `config` is complete and valid. Samples are taken in drain(): a tick that comes while nobody drains is lost.
std::unique_ptr<StackSource> start_read_source(const v1::RecordingConfig& config);

}  // namespace pycroscope

// What systemd tells a service and wants to hear from it. Without systemd all of this does nothing.
#pragma once

#include <spdlog/common.h>

#include <chrono>
#include <optional>
#include <string>

#include "analysis/model/result.h"
#include "daemon/os/fd.h"

namespace pycroscope {

// The listening socket that systemd holds for this service (socket activation); empty when there is none. kFailed when
// there are several. May be called once.
Result<Fd> socket_of_systemd();

// sd_notify(3): "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=...".
void notify_systemd(const std::string& state);

// How often systemd wants to hear "WATCHDOG=1" at least; nothing when it does not watch.
std::optional<std::chrono::microseconds> watchdog_interval();

// Where the service's log goes: the journal, with priorities and fields, when systemd has connected stderr to it;
// stderr otherwise.
spdlog::sink_ptr service_log_sink();

}  // namespace pycroscope

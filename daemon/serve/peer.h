// Who stands at the other end of a unix socket, as the kernel recorded it when the connection was made.
#pragma once

#include "analysis/model/result.h"
#include "daemon/os/fd.h"
#include "daemon/session/caller.h"

namespace pycroscope {

Result<Caller> peer_of(const Fd& connection);

}  // namespace pycroscope

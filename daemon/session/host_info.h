// The machine that a session was recorded on.
#pragma once

#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

v1::Host host_info();

}  // namespace pycroscope

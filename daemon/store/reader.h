// The EventReader over a session's entries, wherever they are.
#pragma once

#include <memory>

#include "analysis/model/events.h"
#include "analysis/model/result.h"
#include "daemon/store/database.h"

namespace pycroscope {

// Loads symbols and the summaries of the blocks; the blocks themselves are read when they are asked for. Whatever is
// damaged is left out and counted. The session's counts become those of the snapshot. Fails (a sentence) only when the
// session was written by a newer version. Thread-safe.
Result<std::unique_ptr<EventReader>> make_reader(v1::Session session, std::shared_ptr<const DatabaseReader> database);

}  // namespace pycroscope

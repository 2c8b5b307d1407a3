// The SessionWriter of store.h.
#pragma once

#include <memory>

#include "analysis/model/result.h"
#include "daemon/store/database.h"
#include "daemon/store/session_dir.h"
#include "daemon/store/store.h"

namespace pycroscope {

// `session` has its id and all that create() fills; `directory` is locked by us.
std::unique_ptr<SessionWriter> make_writer(v1::Session session, SessionDir directory,
                                           std::unique_ptr<DatabaseWriter> database, const StoreUser& owner);

}  // namespace pycroscope

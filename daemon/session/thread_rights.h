// The file-system rights of one thread.
#pragma once

#include "analysis/model/result.h"
#include "daemon/session/caller.h"

namespace pycroscope {

// From now on the calling thread opens files as `caller` could: file-system uid and gid, supplementary groups, and no
// capability to override permissions. Other threads keep their rights (raw system calls: glibc's wrappers would change
// the whole process). There is no way back: use a thread that ends afterwards. Does nothing unless this process is root
// and the caller is not.
Status take_rights_of(const Caller& caller);

}  // namespace pycroscope

// The first part of a core file: what it is of, and where its segments are.
#pragma once

#include <elf.h>

#include <string>
#include <vector>

#include "analysis/model/result.h"
#include "daemon/os/fd.h"

namespace pycroscope {

// The program headers of the ELF core file `file`. Fails with kFailed and a sentence that begins with `path` and says
// what the file is instead of a core file that can be read here.
Result<std::vector<Elf64_Phdr>> read_core_headers(const Fd& file, const std::string& path);

}  // namespace pycroscope

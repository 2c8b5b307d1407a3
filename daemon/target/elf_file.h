// Symbols of ELF files on disk, for what a mapped image does not show: .symtab and sections.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "analysis/model/result.h"
#include "daemon/os/fd.h"

namespace pycroscope {

struct ElfFileSymbols {
  std::map<std::string, uint64_t, std::less<>> symbols;  // wanted name → address as in the file
  std::map<std::string, uint64_t, std::less<>> sections;
};

// Looks in .symtab and .dynsym for definitions of `names`, and for the allocated sections `names`. The file is mapped,
// not read; damaged files give what libelf could make out, or kFailed.
Result<ElfFileSymbols> read_elf_file(const Fd& file, const std::set<std::string, std::less<>>& names);

}  // namespace pycroscope

#include "daemon/target/elf_file.h"

#include <elf.h>
#include <gelf.h>
#include <libelf.h>

#include <memory>
#include <string_view>

namespace pycroscope {
namespace {

using Names = std::set<std::string, std::less<>>;

struct ElfEnd {
  void operator()(Elf* elf) const { elf_end(elf); }
};

void collect_symbols(Elf* elf, Elf_Scn* section, const GElf_Shdr& header, const Names& names, ElfFileSymbols& found) {
  if (header.sh_entsize == 0) return;
  Elf_Data* data = elf_getdata(section, nullptr);
  if (data == nullptr) return;
  // libelf itself bounds every access by the size of `data` and of the string table.
  const size_t count = data->d_size / header.sh_entsize;
  for (size_t i = 0; i < count && found.symbols.size() < names.size(); ++i) {
    GElf_Sym symbol;
    if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) return;
    if (symbol.st_shndx == SHN_UNDEF) continue;
    const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
    if (name != nullptr && names.contains(std::string_view(name))) found.symbols.try_emplace(name, symbol.st_value);
  }
}

}  // namespace

Result<ElfFileSymbols> read_elf_file(const Fd& file, const Names& names) {
  elf_version(EV_CURRENT);
  const std::unique_ptr<Elf, ElfEnd> elf(elf_begin(file.get(), ELF_C_READ_MMAP, nullptr));
  size_t section_names = 0;
  if (!elf || elf_kind(elf.get()) != ELF_K_ELF || elf_getshdrstrndx(elf.get(), &section_names) != 0) {
    return fail(ErrorCode::kFailed, "not an ELF file");
  }
  ElfFileSymbols found;
  for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf.get(), section)) != nullptr;) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) continue;
    if (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM) {
      collect_symbols(elf.get(), section, header, names, found);
    }
    const char* name = elf_strptr(elf.get(), section_names, header.sh_name);
    if (name != nullptr && (header.sh_flags & SHF_ALLOC) != 0 && names.contains(std::string_view(name))) {
      found.sections.try_emplace(name, header.sh_addr);
    }
  }
  return found;
}

}  // namespace pycroscope

#include "daemon/target/build_id.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

namespace pycroscope {
namespace {

// Far above what linkers make.
constexpr size_t kMaxProgramHeaders = 128;
constexpr size_t kMaxNotes = 4096;

uint64_t padded(uint64_t size) { return (size + 3) & ~uint64_t{3}; }

// The build id among `notes`, "" when there is none.
std::string find_build_id(std::span<const char> notes) {
  Elf64_Nhdr header;
  while (notes.size() >= sizeof(header)) {
    std::memcpy(&header, notes.data(), sizeof(header));
    notes = notes.subspan(sizeof(header));
    const uint64_t name_size = padded(header.n_namesz);
    if (name_size + header.n_descsz > notes.size()) return "";
    if (header.n_type == NT_GNU_BUILD_ID &&
        std::string_view(notes.data(), header.n_namesz) == std::string_view("GNU", 4)) {
      return {notes.data() + name_size, header.n_descsz};
    }
    notes = notes.subspan(std::min<uint64_t>(name_size + padded(header.n_descsz), notes.size()));
  }
  return "";
}

}  // namespace

std::string read_build_id(const TargetMemory& memory, RemoteAddress header_address) {
  const auto header = memory.read<Elf64_Ehdr>(header_address);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_phentsize != sizeof(Elf64_Phdr)) {
    return "";
  }
  for (size_t i = 0; i < std::min<size_t>(header->e_phnum, kMaxProgramHeaders); ++i) {
    const auto segment = memory.read<Elf64_Phdr>(header_address + header->e_phoff + i * sizeof(Elf64_Phdr));
    if (!segment) return "";
    if (segment->p_type != PT_NOTE) continue;
    std::vector<char> notes(std::min<uint64_t>(segment->p_filesz, kMaxNotes));
    if (!memory.read_bytes(header_address + segment->p_offset, std::as_writable_bytes(std::span(notes)))) continue;
    if (std::string id = find_build_id(notes); !id.empty()) return id;
  }
  return "";
}

}  // namespace pycroscope

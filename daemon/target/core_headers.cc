#include "daemon/target/core_headers.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "daemon/os/file.h"

namespace pycroscope {
namespace {

constexpr uint64_t kMaxSegments = 8 << 20;  // vm.max_map_count can be raised

struct Packing {
  std::string_view magic;
  std::string_view name;
  std::string_view unpack;
};
constexpr std::array kPackings{
    Packing{"\x28\xb5\x2f\xfd", "zstd", "zstd -d"},   Packing{"\x1f\x8b", "gzip", "gunzip -k"},
    Packing{"\xfd\x37\x7a\x58\x5a", "xz", "unxz -k"}, Packing{"\x04\x22\x4d\x18", "lz4", "lz4 -d"},
    Packing{"\x42\x5a\x68", "bzip2", "bunzip2 -k"},
};

// What is wrong with a file, to follow its name; nothing when nothing is.
using Complaint = std::optional<std::string>;

const char* kind_of(uint16_t type) {
  switch (type) {
    case ET_REL:
      return "an object file";
    case ET_EXEC:
    case ET_DYN:
      return "a program or library";
    default:
      return "another kind of ELF file";
  }
}

Complaint complain_of_magic(std::string_view begin) {
  if (begin.empty()) return "is empty";
  for (const Packing& packing : kPackings) {
    if (!begin.starts_with(packing.magic)) continue;
    return "is compressed (" + std::string(packing.name) + "): unpack it first, with `" + std::string(packing.unpack) +
           "`";
  }
  if (!begin.starts_with(std::string_view(ELFMAG, SELFMAG))) return "is not a core file";
  return std::nullopt;
}

Complaint complain_of_header(const Elf64_Ehdr& header) {
  if (header.e_ident[EI_CLASS] == ELFCLASS32) return "is of a 32-bit program, which is not supported";
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != EM_X86_64) {
    return "is of another kind of machine than this one";
  }
  if (header.e_type != ET_CORE) return "is not a core file but " + std::string(kind_of(header.e_type));
  if (header.e_phentsize != sizeof(Elf64_Phdr)) return "is damaged: its list of segments makes no sense";
  return std::nullopt;
}

// False: the file ends before.
template <class T>
Result<bool> read_all(const Fd& file, uint64_t offset, std::span<T> items) {
  const auto bytes = std::as_writable_bytes(items);
  PYC_TRY(const size_t size, read_at(file, offset, bytes));
  return size == bytes.size();
}

// More than 65 534 segments are counted in the first section header: linux/fs/binfmt_elf.c fill_extnum_info().
Result<uint64_t> count_segments(const Fd& file, const Elf64_Ehdr& header) {
  if (header.e_phnum != PN_XNUM) return header.e_phnum;
  Elf64_Shdr section{};
  PYC_TRY(const bool complete, read_all(file, header.e_shoff, std::span(&section, 1)));
  return complete ? section.sh_info : 0;
}

}  // namespace

Result<std::vector<Elf64_Phdr>> read_core_headers(const Fd& file, const std::string& path) {
  const auto refuse = [&](const std::string& why) { return fail(ErrorCode::kFailed, path + " " + why); };
  std::array<char, EI_NIDENT> magic{};
  PYC_TRY(const size_t magic_size, read_at(file, 0, std::as_writable_bytes(std::span(magic))));
  if (const Complaint complaint = complain_of_magic({magic.data(), magic_size})) return refuse(*complaint);

  Elf64_Ehdr header{};
  PYC_TRY(bool complete, read_all(file, 0, std::span(&header, 1)));
  if (!complete) return refuse("is cut off in its first bytes");
  if (const Complaint complaint = complain_of_header(header)) return refuse(*complaint);

  PYC_TRY(const uint64_t count, count_segments(file, header));
  PYC_TRY(const uint64_t size, file_size(file));
  if (count > kMaxSegments) return refuse("is damaged: its list of segments makes no sense");
  std::vector<Elf64_Phdr> segments(header.e_phoff < size ? std::min(count, size / sizeof(Elf64_Phdr)) : 0);
  PYC_TRY(complete, read_all(file, header.e_phoff, std::span(segments)));
  if (!complete || segments.size() != count || count == 0) return refuse("is cut off before its first segment");
  return segments;
}

}  // namespace pycroscope

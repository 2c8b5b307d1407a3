#include "daemon/target/elf_image.h"

#include <elf.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <vector>

namespace pycroscope {
namespace {

// Far above what linkers make, so that damaged modules cost little.
constexpr size_t kMaxProgramHeaders = 128;
constexpr size_t kMaxDynamicEntries = 1024;
constexpr size_t kMaxChain = 4096;

bool is_supported_elf(const Elf64_Ehdr& header) {
  return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_CLASS] == ELFCLASS64 &&
         header.e_ident[EI_DATA] == ELFDATA2LSB && header.e_phentsize == sizeof(Elf64_Phdr) && header.e_phnum > 0 &&
         header.e_phnum <= kMaxProgramHeaders;
}

template <class T>
Result<std::vector<T>> read_array(const TargetMemory& memory, RemoteAddress address, size_t count) {
  std::vector<T> items(count);
  PYC_CHECK(memory.read_bytes(address, std::as_writable_bytes(std::span(items))));
  return items;
}

// https://flapenguin.me/elf-dt-gnu-hash and glibc 2.36 elf/dl-new-hash.h.
uint32_t gnu_hash(std::string_view name) {
  uint32_t hash = 5381;
  for (const char c : name) hash = hash * 33 + static_cast<unsigned char>(c);
  return hash;
}

// System V gABI, chapter 5, "Hash Table".
uint32_t sysv_hash(std::string_view name) {
  uint32_t hash = 0;
  for (const char c : name) {
    hash = (hash << 4) + static_cast<unsigned char>(c);
    const uint32_t high = hash & 0xf0000000;
    hash = (hash ^ (high >> 24)) & ~high;
  }
  return hash;
}

}  // namespace

Result<ElfImage> ElfImage::read(const TargetMemory& memory, RemoteAddress header_address) {
  PYC_TRY(const auto header, memory.read<Elf64_Ehdr>(header_address));
  if (!is_supported_elf(header)) return fail(ErrorCode::kFailed, "not a 64-bit ELF module");
  PYC_TRY(const auto segments, read_array<Elf64_Phdr>(memory, header_address + header.e_phoff, size_t{header.e_phnum}));

  ElfImage image(memory);
  const auto first = std::ranges::find(segments, Elf64_Word{PT_LOAD}, &Elf64_Phdr::p_type);
  if (first == segments.end()) return fail(ErrorCode::kFailed, "an ELF module without segments");
  image.bias_ = header_address.address() - (first->p_vaddr - first->p_offset);
  uint64_t end = first->p_vaddr;
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type == PT_LOAD) end = std::max(end, segment.p_vaddr + segment.p_memsz);
  }
  image.begin_ = header_address;
  image.end_ = RemoteAddress(image.bias_ + end);

  const auto dynamic = std::ranges::find(segments, Elf64_Word{PT_DYNAMIC}, &Elf64_Phdr::p_type);
  if (dynamic != segments.end()) {
    PYC_CHECK(image.read_dynamic(RemoteAddress(image.bias_ + dynamic->p_vaddr), dynamic->p_memsz));
  }
  return image;
}

Status ElfImage::read_dynamic(RemoteAddress dynamic, uint64_t size) {
  const size_t count = std::min<size_t>(size / sizeof(Elf64_Dyn), kMaxDynamicEntries);
  PYC_TRY(const auto entries, read_array<Elf64_Dyn>(*memory_, dynamic, count));
  for (const Elf64_Dyn& entry : entries) {
    switch (entry.d_tag) {
      case DT_NULL:
        return {};
      case DT_SYMTAB:
        symbols_ = relocated(entry.d_un.d_ptr);
        break;
      case DT_STRTAB:
        strings_ = relocated(entry.d_un.d_ptr);
        break;
      case DT_STRSZ:
        strings_size_ = entry.d_un.d_val;
        break;
      case DT_GNU_HASH:
        gnu_hash_ = relocated(entry.d_un.d_ptr);
        break;
      case DT_HASH:
        sysv_hash_ = relocated(entry.d_un.d_ptr);
        break;
      default:
        break;
    }
  }
  return {};
}

// glibc writes real addresses over the ones of the file (elf/get-dynamic-info.h), musl and the vDSO do not.
RemoteAddress ElfImage::relocated(uint64_t value) const {
  return contains(RemoteAddress(value)) ? RemoteAddress(value) : RemoteAddress(bias_ + value);
}

Result<RemoteAddress> ElfImage::find(std::string_view name) const {
  if (!symbols_ || !strings_) return RemoteAddress();
  if (gnu_hash_) return find_gnu(name);
  if (sysv_hash_) return find_sysv(name);
  return RemoteAddress();
}

Result<RemoteAddress> ElfImage::find_gnu(std::string_view name) const {
  struct Header {
    uint32_t buckets, first_symbol, bloom_words, bloom_shift;
  };
  PYC_TRY(const auto header, memory_->read<Header>(gnu_hash_));
  if (header.buckets == 0 || !std::has_single_bit(header.bloom_words) || header.bloom_shift > 31) {
    return RemoteAddress();
  }
  const uint32_t hash = gnu_hash(name);
  const RemoteAddress bloom = gnu_hash_ + sizeof(Header);
  PYC_TRY(const auto word, memory_->read<uint64_t>(bloom + 8 * ((hash / 64) & (header.bloom_words - 1))));
  const uint64_t wanted = (uint64_t{1} << (hash % 64)) | (uint64_t{1} << ((hash >> header.bloom_shift) % 64));
  if ((word & wanted) != wanted) return RemoteAddress();

  const RemoteAddress buckets = bloom + 8 * uint64_t{header.bloom_words};
  const RemoteAddress chains = buckets + 4 * uint64_t{header.buckets};
  PYC_TRY(const auto first, memory_->read<uint32_t>(buckets + 4 * uint64_t{hash % header.buckets}));
  if (first < header.first_symbol) return RemoteAddress();
  for (uint64_t index = first; index < first + kMaxChain; ++index) {
    PYC_TRY(const auto entry, memory_->read<uint32_t>(chains + 4 * (index - header.first_symbol)));
    // Bit 0 marks the end of the chain, the others are the symbol's hash.
    if ((entry | 1) == (hash | 1)) {
      PYC_TRY(const RemoteAddress address, definition(index, name));
      if (address) return address;
    }
    if ((entry & 1) != 0) break;
  }
  return RemoteAddress();
}

Result<RemoteAddress> ElfImage::find_sysv(std::string_view name) const {
  struct Header {
    uint32_t buckets, chains;
  };
  PYC_TRY(const auto header, memory_->read<Header>(sysv_hash_));
  if (header.buckets == 0) return RemoteAddress();
  const RemoteAddress buckets = sysv_hash_ + sizeof(Header);
  const RemoteAddress chains = buckets + 4 * uint64_t{header.buckets};
  PYC_TRY(uint32_t index, memory_->read<uint32_t>(buckets + 4 * uint64_t{sysv_hash(name) % header.buckets}));
  for (size_t steps = 0; index != STN_UNDEF && index < header.chains && steps < kMaxChain; ++steps) {
    PYC_TRY(const RemoteAddress address, definition(index, name));
    if (address) return address;
    PYC_TRY(index, memory_->read<uint32_t>(chains + 4 * uint64_t{index}));
  }
  return RemoteAddress();
}

// The address of symbol number `index` if it is called `name` and defined here.
Result<RemoteAddress> ElfImage::definition(uint64_t index, std::string_view name) const {
  PYC_TRY(const auto symbol, memory_->read<Elf64_Sym>(symbols_ + index * sizeof(Elf64_Sym)));
  if (symbol.st_shndx == SHN_UNDEF || symbol.st_name >= strings_size_) return RemoteAddress();
  std::string found(name.size() + 1, '\1');
  PYC_CHECK(memory_->read_bytes(strings_ + symbol.st_name, std::as_writable_bytes(std::span(found))));
  if (found.back() != '\0' || std::string_view(found).substr(0, name.size()) != name) return RemoteAddress();
  const RemoteAddress address(bias_ + symbol.st_value);
  return contains(address) ? address : RemoteAddress();
}

}  // namespace pycroscope

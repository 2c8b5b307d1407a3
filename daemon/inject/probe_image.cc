#include "daemon/inject/probe_image.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <span>

// The file that daemon/probe/ makes. Nothing in it is anybody's but ours: it is taken to be as the linker made it.
asm(".pushsection .rodata\n"
    ".balign 64\n"
    "pyc_probe_file:\n"
    ".incbin \"" PYC_PROBE_FILE
    "\"\n"
    "pyc_probe_file_end:\n"
    ".popsection\n");
extern "C" {
extern const std::byte pyc_probe_file[], pyc_probe_file_end[];
}

namespace pycroscope {
namespace {

constexpr uint64_t kPage = 4096;

uint64_t pages_up(uint64_t size) { return (size + kPage - 1) / kPage * kPage; }

template <class T>
T read_at(std::span<const std::byte> bytes, uint64_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::span<const std::byte> file() { return {pyc_probe_file, pyc_probe_file_end}; }

template <class Visit>
void visit_segments(uint32_t type, Visit visit) {
  const auto header = read_at<Elf64_Ehdr>(file(), 0);
  for (uint16_t i = 0; i < header.e_phnum; ++i) {
    const auto segment = read_at<Elf64_Phdr>(file(), header.e_phoff + i * sizeof(Elf64_Phdr));
    if (segment.p_type == type) visit(segment);
  }
}

// Addresses in the image begin at 0: each relocation is one of those.
void relocate(std::span<std::byte> image, uint64_t base) {
  uint64_t table = 0, size = 0;
  visit_segments(PT_DYNAMIC, [&](const Elf64_Phdr& dynamic) {
    for (uint64_t at = dynamic.p_vaddr;; at += sizeof(Elf64_Dyn)) {
      const auto entry = read_at<Elf64_Dyn>(image, at);
      if (entry.d_tag == DT_NULL) break;
      if (entry.d_tag == DT_RELA) table = entry.d_un.d_ptr;
      if (entry.d_tag == DT_RELASZ) size = entry.d_un.d_val;
    }
  });
  for (uint64_t at = table; at < table + size; at += sizeof(Elf64_Rela)) {
    const auto relocation = read_at<Elf64_Rela>(image, at);
    const uint64_t value = base + static_cast<uint64_t>(relocation.r_addend);
    std::memcpy(image.data() + relocation.r_offset, &value, sizeof value);
  }
}

}  // namespace

size_t probe_image_size() {
  uint64_t end = 0;
  visit_segments(PT_LOAD, [&](const Elf64_Phdr& segment) { end = std::max(end, segment.p_vaddr + segment.p_memsz); });
  return pages_up(end);
}

ProbeImage probe_image_at(uint64_t base) {
  ProbeImage image{.base = base, .bytes = std::vector<std::byte>(probe_image_size())};
  visit_segments(PT_LOAD, [&](const Elf64_Phdr& segment) {
    std::ranges::copy(file().subspan(segment.p_offset, segment.p_filesz),
                      image.bytes.begin() + static_cast<ptrdiff_t>(segment.p_vaddr));
    if ((segment.p_flags & PF_X) != 0) image.code_size = pages_up(segment.p_vaddr + segment.p_memsz);
  });
  relocate(image.bytes, base);
  // What is called an entry point is the table of them.
  const uint64_t entries = read_at<Elf64_Ehdr>(file(), 0).e_entry;
  const auto entry = [&](size_t offset) { return read_at<uint64_t>(image.bytes, entries + offset); };
  image.thread = entry(offsetof(pyc_probe_entries, thread));
  image.pending = entry(offsetof(pyc_probe_entries, pending));
  image.start_thread = entry(offsetof(pyc_probe_entries, start_thread));
  image.trap = entry(offsetof(pyc_probe_entries, trap));
  image.records = entry(offsetof(pyc_probe_entries, records));
  return image;
}

}  // namespace pycroscope

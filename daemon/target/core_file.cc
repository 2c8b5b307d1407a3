#include "daemon/target/core_file.h"

#include <elf.h>

#include <algorithm>
#include <map>
#include <utility>

#include "daemon/os/file.h"
#include "daemon/target/core_headers.h"
#include "daemon/target/proc_text.h"

namespace pycroscope {
namespace {

constexpr uint64_t kMaxNotes = 256 << 20;  // as for /proc/PID/maps, whose content is the largest part
}  // namespace

Result<CoreFile> CoreFile::open(const std::string& path) {
  PYC_TRY(Fd file, open_regular_file(path));
  CoreFile core(path, std::move(file));
  PYC_TRY(core.file_size_, file_size(core.file_));
  PYC_CHECK(core.read_headers());
  core.make_maps();
  return core;
}

Status CoreFile::read_headers() {
  PYC_TRY(const auto headers, read_core_headers(file_, path_));
  for (const Elf64_Phdr& header : headers) {
    const uint64_t end = header.p_offset + header.p_filesz;
    const bool makes_sense = end >= header.p_offset && header.p_vaddr + header.p_memsz >= header.p_vaddr;
    if (!makes_sense || (header.p_type != PT_NOTE && header.p_type != PT_LOAD)) continue;
    if (end > file_size_) missing_bytes_ = std::max(missing_bytes_, end - file_size_);
    if (header.p_type == PT_NOTE) {
      PYC_CHECK(read_notes(header.p_offset, header.p_filesz));
    } else if (header.p_memsz > 0) {
      segments_.push_back({RemoteAddress(header.p_vaddr), header.p_memsz, header.p_offset,
                           std::min(header.p_filesz, header.p_memsz), header.p_flags});
    }
  }
  std::ranges::stable_sort(segments_, {}, &Segment::begin);
  return {};
}

Status CoreFile::read_notes(uint64_t offset, uint64_t size) {
  if (offset >= file_size_) return {};
  std::vector<std::byte> content(std::min({size, file_size_ - offset, kMaxNotes}));
  PYC_TRY(const size_t got, read_at(file_, offset, content));
  parse_core_notes(std::span(content).first(got), notes_);
  return {};
}

void CoreFile::make_maps() {
  std::map<std::string, uint64_t> inodes;
  for (const CoreNotes::MappedFile& file : notes_.files) {
    MapEntry entry;
    entry.begin = file.begin;
    entry.end = file.end;
    entry.offset = file.offset;
    entry.inode = inodes.try_emplace(file.path, inodes.size() + 1).first->second;
    entry.path = file.path;
    entry.deleted = strip_deleted(entry.path);
    // gdb leaves segments out that would have no content, code above all.
    const Segment* segment = segment_of(file.begin);
    const uint32_t flags = segment == nullptr ? PF_R | PF_X : segment->flags;
    entry.readable = (flags & PF_R) != 0;
    entry.writable = (flags & PF_W) != 0;
    entry.executable = (flags & PF_X) != 0;
    maps_.push_back(std::move(entry));
  }
  std::ranges::stable_sort(maps_, {}, &MapEntry::begin);
}

std::string CoreFile::executable() const {
  for (const MapEntry& entry : maps_) {
    if (entry.begin <= notes_.program_headers && notes_.program_headers < entry.end) return entry.path;
  }
  return "";
}

const CoreFile::Segment* CoreFile::segment_of(RemoteAddress address) const {
  auto after = std::ranges::upper_bound(segments_, address, {}, &Segment::begin);
  if (after == segments_.begin()) return nullptr;
  const Segment& segment = *--after;
  return address.address() - segment.begin.address() < segment.size ? &segment : nullptr;
}

uint64_t CoreFile::held_from(RemoteAddress address) const {
  const Segment* segment = segment_of(address);
  if (segment == nullptr) return 0;
  const uint64_t skip = address.address() - segment->begin.address();
  const uint64_t in_file =
      segment->offset < file_size_ ? std::min(segment->file_size, file_size_ - segment->offset) : 0;
  return skip < in_file ? in_file - skip : 0;
}

bool CoreFile::is_unchanged(RemoteAddress address) const {
  const Segment* segment = segment_of(address);
  return segment == nullptr || (segment->flags & (PF_R | PF_W)) == PF_R;
}

Status CoreFile::read_bytes(RemoteAddress address, std::span<std::byte> out) const {
  while (!out.empty()) {
    const size_t size = std::min<uint64_t>(out.size(), held_from(address));
    if (size == 0) return fail(ErrorCode::kMemory, "not in the core file");
    const Segment& segment = *segment_of(address);
    const uint64_t offset = segment.offset + (address.address() - segment.begin.address());
    PYC_TRY(const size_t got, read_at(file_, offset, out.first(size)));
    if (got != size) return fail(ErrorCode::kMemory, "the core file has become shorter");
    out = out.subspan(size);
    address = address + size;
  }
  return {};
}

}  // namespace pycroscope

#include "daemon/target/core_notes.h"

#include <elf.h>
#include <sys/procfs.h>
#include <sys/user.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace pycroscope {
namespace {

static_assert(sizeof(elf_gregset_t) == sizeof(user_regs_struct));

// Takes values and texts off the front of some bytes, for as long as there are enough.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <class T>
  std::optional<T> take() {
    if (bytes_.size() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes_.data(), sizeof(T));
    bytes_ = bytes_.subspan(sizeof(T));
    return value;
  }

  // `size` bytes and the padding that follows them in notes; the last note may do without.
  std::optional<std::span<const std::byte>> take_padded(uint64_t size) {
    if (bytes_.size() < size) return std::nullopt;
    const auto taken = bytes_.first(size);
    bytes_ = bytes_.subspan(std::min<uint64_t>((size + 3) & ~uint64_t{3}, bytes_.size()));
    return taken;
  }

  std::optional<std::string> take_text() {
    const auto end = std::ranges::find(bytes_, std::byte{0});
    if (end == bytes_.end()) return std::nullopt;
    const auto size = static_cast<size_t>(end - bytes_.begin());
    std::string text(size, '\0');
    std::memcpy(text.data(), bytes_.data(), size);
    bytes_ = bytes_.subspan(size + 1);
    return text;
  }

  size_t left() const { return bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
};

void add_thread(Reader content, CoreNotes& notes) {
  const auto status = content.take<elf_prstatus>();
  if (!status) return;
  user_regs_struct registers;
  std::memcpy(&registers, &status->pr_reg, sizeof(registers));
  notes.threads.push_back(decode_registers(status->pr_pid, registers));
  if (notes.pid == 0) notes.pid = status->pr_pid;
}

void read_process(Reader content, CoreNotes& notes) {
  const auto info = content.take<elf_prpsinfo>();
  if (!info) return;
  notes.pid = info->pr_pid;
  notes.program.assign(info->pr_fname, ::strnlen(info->pr_fname, sizeof(info->pr_fname)));
}

void read_auxiliary_vector(Reader content, CoreNotes& notes) {
  while (const auto entry = content.take<Elf64_auxv_t>()) {
    if (entry->a_type == AT_PHDR) notes.program_headers = RemoteAddress(entry->a_un.a_val);
  }
}

void read_files(Reader content, CoreNotes& notes) {
  struct Range {
    uint64_t begin, end, page;
  };
  const auto count = content.take<uint64_t>();
  const auto page_size = content.take<uint64_t>();
  if (!count || !page_size || *count > content.left() / sizeof(Range)) return;
  std::vector<Range> ranges;
  for (uint64_t i = 0; i < *count; ++i) ranges.push_back(*content.take<Range>());
  for (const Range& range : ranges) {
    auto path = content.take_text();
    if (!path) return;
    if (range.begin >= range.end) continue;
    notes.files.push_back(
        {RemoteAddress(range.begin), RemoteAddress(range.end), range.page * *page_size, *std::move(path)});
  }
}

}  // namespace

void parse_core_notes(std::span<const std::byte> segment, CoreNotes& notes) {
  Reader reader(segment);
  while (const auto header = reader.take<Elf64_Nhdr>()) {
    const auto name = reader.take_padded(header->n_namesz);
    const auto content = name ? reader.take_padded(header->n_descsz) : std::nullopt;
    if (!content) return;
    if (name->size() != sizeof("CORE") || std::memcmp(name->data(), "CORE", sizeof("CORE")) != 0) continue;
    switch (header->n_type) {
      case NT_PRSTATUS:
        add_thread(Reader(*content), notes);
        break;
      case NT_PRPSINFO:
        read_process(Reader(*content), notes);
        break;
      case NT_AUXV:
        read_auxiliary_vector(Reader(*content), notes);
        break;
      case NT_FILE:
        read_files(Reader(*content), notes);
        break;
      default:
        break;
    }
  }
}

}  // namespace pycroscope

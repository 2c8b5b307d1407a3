#include "daemon/collect/code_capture.h"

#include <algorithm>
#include <cstring>

#include "daemon/python/code_object.h"
#include "daemon/python/unicode.h"

namespace pycroscope {
namespace {

class Capture {
 public:
  explicit Capture(const TargetMemory& memory) : memory_(memory), bytes_(sizeof(pyc_code_record)) {}

  // A part that cannot be read stays empty.
  void add(pyc_code_parts part, RemoteAddress address, uint64_t size, uint64_t limit) {
    const size_t begin = bytes_.size();
    const auto take = static_cast<uint32_t>(std::min(size, limit));
    parts_[part] = {.address = address.address(), .captured = 0, .reserved = 0};
    bytes_.resize(begin + take);
    if (memory_.read_bytes(address, std::span(bytes_).subspan(begin)))
      parts_[part].captured = take;
    else
      bytes_.resize(begin);
  }

  void add_text(pyc_code_parts part, const pyc_layout& layout, RemoteAddress object) {
    const auto text = read_unicode_header(memory_, layout, object);
    const uint64_t header = text ? text->data.address() - object.address() : 0;
    // A str of an old form has its characters elsewhere: they are read when the record is decoded.
    const bool in_one_piece = header <= layout.unicode_compact_data;
    const uint64_t size = in_one_piece && text ? header + (text->length + 1) * text->unit_bytes : 0;
    add(part, object, size, PYC_TEXT_CAPTURE);
  }

  void add_linetable(const pyc_layout& layout, RemoteAddress object) {
    const auto size = memory_.read<uint64_t>(object + layout.var_size);
    add(PYC_PART_LINETABLE, object, size ? layout.bytes_data + *size + 1 : 0, PYC_LINETABLE_CAPTURE);
  }

  std::vector<std::byte> finish(pid_t tgid, uint64_t identity) {
    pyc_code_record head{.type = PYC_RECORD_CODE, .tgid = static_cast<uint32_t>(tgid), .identity = identity, .parts{}};
    std::ranges::copy(parts_, head.parts);
    std::memcpy(bytes_.data(), &head, sizeof head);
    return std::move(bytes_);
  }

 private:
  const TargetMemory& memory_;
  std::vector<std::byte> bytes_;
  pyc_code_part parts_[PYC_PART_COUNT]{};
};

}  // namespace

std::optional<std::vector<std::byte>> capture_code(const TargetMemory& memory, const pyc_layout& layout, pid_t tgid,
                                                   RemoteAddress code, uint64_t identity) {
  const auto qualname = memory.read_pointer(code + layout.code_qualname);
  const auto filename = memory.read_pointer(code + layout.code_filename);
  const auto linetable = memory.read_pointer(code + layout.code_linetable);
  if (!qualname || !filename || !linetable) return std::nullopt;
  Capture capture(memory);
  capture.add(PYC_PART_CODE, code, layout.code_identity_end, PYC_CODE_CAPTURE);
  capture.add_text(PYC_PART_QUALNAME, layout, *qualname);
  capture.add_text(PYC_PART_FILENAME, layout, *filename);
  capture.add_linetable(layout, *linetable);
  if (code_identity(memory, layout, code) != identity) return std::nullopt;
  return capture.finish(tgid, identity);
}

}  // namespace pycroscope

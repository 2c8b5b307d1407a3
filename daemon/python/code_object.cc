#include "daemon/python/code_object.h"

#include <algorithm>
#include <cstring>

#include "daemon/python/unicode.h"

namespace pycroscope {
namespace {

constexpr size_t kNameLimit = 16 << 10;
constexpr size_t kLineTableLimit = 4 << 20;

// The fields of a code object that we use, read in one go.
class CodeBytes {
 public:
  static Result<CodeBytes> read(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress code) {
    const size_t last =
        std::max({layout.code_filename, layout.code_qualname, layout.code_linetable, layout.code_first_line});
    CodeBytes bytes;
    bytes.content_.resize(last + sizeof(uint64_t));
    PYC_CHECK(memory.read_bytes(code, bytes.content_));
    return bytes;
  }
  template <class T>
  T at(uint16_t offset) const {
    T value;
    std::memcpy(&value, &content_[offset], sizeof value);
    return value;
  }
  RemoteAddress pointer(uint16_t offset) const { return RemoteAddress(at<uint64_t>(offset)); }

 private:
  std::vector<std::byte> content_;
};

Result<std::string> read_name(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress object) {
  PYC_TRY(const auto header, read_unicode_header(memory, layout, object));
  if (header.length > kNameLimit)
    return fail(ErrorCode::kMemory, "a name of " + std::to_string(header.length) + " characters");
  return read_unicode(memory, layout, object, kNameLimit);
}

}  // namespace

Result<CodeInfo> decode_code(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress code) {
  PYC_TRY(const auto bytes, CodeBytes::read(memory, layout, code));
  CodeInfo info;
  PYC_TRY(info.qualname, read_name(memory, layout, bytes.pointer(layout.code_qualname)));
  PYC_TRY(info.filename, read_name(memory, layout, bytes.pointer(layout.code_filename)));
  const auto first_line = bytes.at<int32_t>(layout.code_first_line);
  if (first_line < 0) return fail(ErrorCode::kMemory, "a code object with a negative line");
  info.first_line = static_cast<uint32_t>(first_line);
  PYC_TRY(const std::string table,
          read_bytes_object(memory, layout, bytes.pointer(layout.code_linetable), kLineTableLimit));
  info.lines = LineTable::decode(static_cast<pyc_linetable_kind>(layout.linetable_kind), info.first_line, table);
  return info;
}

}  // namespace pycroscope

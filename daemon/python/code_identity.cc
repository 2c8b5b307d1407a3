// The user-space half of bpf/lib/code.h: the two must agree.
#include "bpf/include/code_identity.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "daemon/python/code_object.h"

namespace pycroscope {
namespace {

constexpr size_t kIdentityBytes = size_t{8} * PYC_IDENTITY_WORDS;

Result<uint64_t> text_identity(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress object) {
  pyc_text text{};
  PYC_TRY(text.length, memory.read<uint64_t>(object + layout.unicode_length));
  PYC_TRY(text.hash, memory.read<uint64_t>(object + layout.unicode_hash));
  PYC_TRY(const auto state, memory.read<uint32_t>(object + layout.unicode_state));
  text.form = state >> (layout.unicode_kind_bit & 31);
  if (text.hash == ~uint64_t{0} && pyc_unicode_compact(static_cast<pyc_u32>(text.form)) != 0) {
    const uint64_t size = text.length * pyc_unicode_kind(static_cast<pyc_u32>(text.form));
    const uint64_t tail = std::min<uint64_t>(size, PYC_TEXT_TAIL);
    const uint16_t data = pyc_unicode_ascii(static_cast<pyc_u32>(text.form)) != 0 ? layout.unicode_ascii_data
                                                                                  : layout.unicode_compact_data;
    PYC_CHECK(
        memory.read_bytes(object + (data + size - tail), std::as_writable_bytes(std::span(text.tail)).first(tail)));
  }
  return pyc_mix_text(&text);
}

}  // namespace

Result<uint64_t> bytecode_size(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress code) {
  if (layout.code_bytecode == PYC_NO_OFFSET) {
    PYC_TRY(const auto units, memory.read<uint64_t>(code + layout.var_size));
    return units * 2;
  }
  PYC_TRY(const auto bytecode, memory.read_pointer(code + layout.code_bytecode));
  return memory.read<uint64_t>(bytecode + layout.var_size);
}

Result<uint64_t> code_identity(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress code) {
  const size_t size = layout.code_identity_end - layout.code_identity_begin;
  if (layout.code_identity_end < layout.code_identity_begin || size > kIdentityBytes)
    return fail(ErrorCode::kMemory, "a layout whose code objects have no identity");
  std::array<uint64_t, PYC_IDENTITY_WORDS> words{};
  PYC_CHECK(memory.read_bytes(code + layout.code_identity_begin, std::as_writable_bytes(std::span(words)).first(size)));
  uint64_t h = pyc_mix_words(words.data());

  if (layout.code_version != PYC_NO_OFFSET) {
    PYC_TRY(const auto version, memory.read<uint32_t>(code + layout.code_version));
    if (version != 0) return h;
  }
  PYC_TRY(const auto size_of_bytecode, bytecode_size(memory, layout, code));
  h = pyc_mix(h, size_of_bytecode);
  for (const uint16_t field : {layout.code_name, layout.code_qualname, layout.code_filename}) {
    PYC_TRY(const auto object, memory.read_pointer(code + field));
    PYC_TRY(const auto text, text_identity(memory, layout, object));
    h = pyc_mix(h, text);
  }
  return h;
}

}  // namespace pycroscope

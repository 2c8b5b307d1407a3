// The identity of a code object: 64 bits over content that never changes while it lives and that no other code object
// shares, so that a freed and replaced code object is never taken for its predecessor.
//
//   identity = mix(words of [code_identity_begin, code_identity_end), zero-padded)            co_version != 0
//            = mix(the same, size of the bytecode in bytes,
//                  text(co_name), text(co_qualname), text(co_filename))                       else, and before 3.12
//   text     = the cached hash of the str object; where it is not cached, length, kind and last bytes
//
// co_version lies in the range and is unique while it is not 0. Before 3.12 the range holds addresses only, which the
// next code object may well get again; so the texts count (where there is no co_qualname, co_name twice). The cached
// hash of a text may appear later: the same code object then gets a second identity, which does no harm. Pure
// functions, shared by the kernel and user space, which only differ in how they read memory.
#pragma once

#include "bpf/include/python_layout.h"

#ifdef __cplusplus
namespace pycroscope {
#endif

#define PYC_IDENTITY_WORDS 16  // [code_identity_begin, code_identity_end) is at most 128 bytes long
#define PYC_TEXT_TAIL 32       // last bytes of a text without a cached hash

struct pyc_text {
  pyc_u64 length;                   // code points
  pyc_u64 hash;                     // all ones: not cached
  pyc_u64 form;                     // kind, compact and ascii: the state from layout.unicode_kind_bit on
  pyc_u64 tail[PYC_TEXT_TAIL / 8];  // zero-padded
};

// Bit fields of PyASCIIObject.state after `interned`: kind 3, compact 1, ascii 1
// (https://github.com/python/cpython/blob/v3.12.1/Include/cpython/unicodeobject.h#L108).
static inline pyc_u32 pyc_unicode_kind(pyc_u32 form) { return form & 7u; }
static inline pyc_u32 pyc_unicode_compact(pyc_u32 form) { return (form >> 3) & 1u; }
static inline pyc_u32 pyc_unicode_ascii(pyc_u32 form) { return (form >> 4) & 1u; }

static inline pyc_u64 pyc_mix(pyc_u64 h, pyc_u64 word) {
  h = (h ^ word) * 0x9E3779B97F4A7C15ull;
  return h ^ (h >> 32);
}

// Two lanes, because a multiplication takes longer than everything else here.
static inline pyc_u64 pyc_mix_words(const pyc_u64* words) {
  pyc_u64 a = 0x243F6A8885A308D3ull, b = 0x13198A2E03707344ull;
#ifdef __clang__
#pragma clang loop unroll(full)
#endif
  for (int i = 0; i < PYC_IDENTITY_WORDS; i += 2) {
    a = pyc_mix(a, words[i]);
    b = pyc_mix(b, words[i + 1]);
  }
  return pyc_mix(a, b);
}

static inline pyc_u64 pyc_mix_text(const struct pyc_text* text) {
  if (text->hash != ~0ull) return pyc_mix(1, text->hash);
  pyc_u64 h = pyc_mix(2, (text->length << 8) | (text->form & 0x1fu));
  for (int i = 0; i < PYC_TEXT_TAIL / 8; ++i) h = pyc_mix(h, text->tail[i]);
  return h;
}

#ifdef __cplusplus
}  // namespace pycroscope
#endif

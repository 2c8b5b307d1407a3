// Code objects: their identity, and the capture of those not seen before.
#pragma once

#include "bpf/lib/scratch.h"

// Identities whose record has been written, mixed with their process's salt: four places per set. Entries that
// are pushed out are captured again, which user space takes as it comes.
#define PYC_SEEN_SETS (1u << 14)
static pyc_u64 pyc_seen[PYC_SEEN_SETS * 4];

static inline int pyc_is_seen(const struct pyc_scratch* scratch, pyc_u64 identity) {
  pyc_u64 key = identity ^ scratch->process.salt;
  const pyc_u64* set = &pyc_seen[(key & (PYC_SEEN_SETS - 1)) * 4];
  return set[0] == key || set[1] == key || set[2] == key || set[3] == key;
}

static inline void pyc_remember(const struct pyc_scratch* scratch, pyc_u64 identity) {
  pyc_u64 key = identity ^ scratch->process.salt;
  pyc_u64* set = &pyc_seen[(key & (PYC_SEEN_SETS - 1)) * 4];
  pyc_u64 place = !set[0] ? 0 : !set[1] ? 1 : !set[2] ? 2 : !set[3] ? 3 : scratch->sequence & 3;
  set[place & 3] = key;
}

// scratch->object of the str or bytes object at `address`: all that is needed to measure it.
static inline long pyc_read_head(struct pyc_scratch* scratch, pyc_u64 address) {
  return pyc_read(scratch->object, (scratch->process.layout.unicode_state & 0x38) + 8, address);
}

static inline pyc_u32 pyc_unicode_form(const struct pyc_scratch* scratch) {
  const struct pyc_layout* layout = &scratch->process.layout;
  return pyc_u32_at(scratch->object, layout->unicode_state & 0x3c) >> (layout->unicode_kind_bit & 31);
}

// scratch->text of the str object at `address`. Fails when it cannot be read.
static inline long pyc_read_text(struct pyc_scratch* scratch, pyc_u64 address) {
  const struct pyc_layout* layout = &scratch->process.layout;
  struct pyc_text* text = &scratch->text;
  if (pyc_read_head(scratch, address)) return -1;
  text->length = pyc_u64_at(scratch->object, layout->unicode_length & 0x38);
  text->hash = pyc_u64_at(scratch->object, layout->unicode_hash & 0x38);
  text->form = pyc_unicode_form(scratch);
  if (text->hash != ~0ull || !pyc_unicode_compact(text->form)) return 0;

  for (int i = 0; i < PYC_TEXT_TAIL / 8; ++i) text->tail[i] = 0;
  pyc_u64 size = text->length * pyc_unicode_kind(text->form);
  pyc_u32 tail = size < PYC_TEXT_TAIL ? size : PYC_TEXT_TAIL;
  pyc_u64 data = pyc_unicode_ascii(text->form) ? layout->unicode_ascii_data : layout->unicode_compact_data;
  return pyc_read(text->tail, tail, address + data + size - tail);
}

static inline pyc_u64 pyc_text_identity(struct pyc_scratch* scratch, pyc_u64 address) {
  struct pyc_memo* memo = pyc_memo_of(scratch->texts, address);
  if (memo->address == address && memo->sequence == scratch->sequence) return memo->value;
  if (pyc_read_text(scratch, address)) scratch->error = PYC_ERROR_NAME_READ;
  memo->address = address;
  memo->sequence = scratch->sequence;
  return memo->value = pyc_mix_text(&scratch->text);
}

// Completes scratch->identity for code objects without a version.
__noinline int pyc_identify_texts(void) {
  struct pyc_scratch* scratch = pyc_get_scratch();
  if (!scratch) return 0;
  const struct pyc_layout* layout = &scratch->process.layout;
  pyc_u64 h = pyc_mix(scratch->identity, scratch->bytecode_size);
  h = pyc_mix(h, pyc_text_identity(scratch, pyc_u64_at(scratch->code, layout->code_name & 0xf8)));
  h = pyc_mix(h, pyc_text_identity(scratch, pyc_u64_at(scratch->code, layout->code_qualname & 0xf8)));
  h = pyc_mix(h, pyc_text_identity(scratch, pyc_u64_at(scratch->code, layout->code_filename & 0xf8)));
  scratch->identity = h;
  return 0;
}

// Appends up to `limit` bytes at `address` to the record.
static inline void pyc_capture(struct pyc_scratch* scratch, int part, pyc_u64 address, pyc_u64 size, pyc_u32 limit) {
  pyc_u32 take = size < limit ? size : limit;
  pyc_u32 filled = scratch->captured;
  scratch->record.parts[part].address = address;
  scratch->record.parts[part].captured = 0;
  if (filled > sizeof scratch->bytes - limit) return;
  if (pyc_read(scratch->bytes + filled, take, address)) return;
  scratch->record.parts[part].captured = take;
  scratch->captured = filled + take;
}

static inline void pyc_capture_text(struct pyc_scratch* scratch, int part, pyc_u64 address) {
  const struct pyc_layout* layout = &scratch->process.layout;
  pyc_u64 size = 0;
  if (!pyc_read_head(scratch, address)) {
    pyc_u32 form = pyc_unicode_form(scratch);
    size = pyc_unicode_ascii(form) ? layout->unicode_ascii_data : layout->unicode_compact_data;
    size += (pyc_u64_at(scratch->object, layout->unicode_length & 0x38) + 1) * pyc_unicode_kind(form);
  }
  pyc_capture(scratch, part, address, size, PYC_TEXT_CAPTURE);
}

static inline void pyc_capture_linetable(struct pyc_scratch* scratch, pyc_u64 address) {
  const struct pyc_layout* layout = &scratch->process.layout;
  pyc_u64 size = 0;
  if (!pyc_read_head(scratch, address))
    size = layout->bytes_data + pyc_u64_at(scratch->object, layout->var_size & 0x38) + 1;
  pyc_capture(scratch, PYC_PART_LINETABLE, address, size, PYC_LINETABLE_CAPTURE);
}

// Writes the code object at `code`, whose head is in scratch->code, to the ring and remembers it as seen, unless the
// ring is full.
__noinline int pyc_write_code(pyc_u64 code) {
  struct pyc_scratch* scratch = pyc_get_scratch();
  if (!scratch) return 0;
  const struct pyc_layout* layout = &scratch->process.layout;
  scratch->record.type = PYC_RECORD_CODE;
  scratch->record.tgid = scratch->sample.tgid;
  scratch->record.identity = scratch->identity;
  scratch->captured = 0;
  pyc_capture(scratch, PYC_PART_CODE, code, layout->code_identity_end, PYC_CODE_CAPTURE);
  pyc_capture_text(scratch, PYC_PART_QUALNAME, pyc_u64_at(scratch->code, layout->code_qualname & 0xf8));
  pyc_capture_text(scratch, PYC_PART_FILENAME, pyc_u64_at(scratch->code, layout->code_filename & 0xf8));
  pyc_capture_linetable(scratch, pyc_u64_at(scratch->code, layout->code_linetable & 0xf8));

  pyc_u32 size = scratch->captured;
  if (size > sizeof scratch->bytes) return 0;
  if (bpf_ringbuf_output(&pyc_ring, &scratch->record, sizeof scratch->record + size, BPF_RB_NO_WAKEUP)) return 0;
  pyc_count(&pyc_counters.code_records);
  pyc_remember(scratch, scratch->identity);
  return 0;
}

// Of the code object in scratch->code, in bytes.
static inline pyc_u64 pyc_bytecode_size(struct pyc_scratch* scratch) {
  const struct pyc_layout* layout = &scratch->process.layout;
  if (layout->code_bytecode == PYC_NO_OFFSET) return pyc_u64_at(scratch->code, layout->var_size & 0xf8) * 2;
  long failed = 0;
  pyc_u64 bytecode = pyc_u64_at(scratch->code, layout->code_bytecode & 0xf8);
  pyc_u64 size = pyc_read_u64(bytecode + layout->var_size, &failed);
  if (failed) scratch->error = PYC_ERROR_CODE_READ;
  return size;
}

// What is known of the code object at `code`; null with scratch->error set when it cannot be read or is none.
static inline const struct pyc_memo* pyc_identify_code(struct pyc_scratch* scratch, pyc_u64 code) {
  const struct pyc_layout* layout = &scratch->process.layout;
  struct pyc_memo* memo = pyc_memo_of(scratch->codes, code);
  if (memo->address == code && memo->sequence == scratch->sequence) return memo;

  pyc_u32 end = layout->code_identity_end;
  if (end > PYC_CODE_BYTES) end = PYC_CODE_BYTES;
  if (pyc_read(scratch->code, end, code)) {
    scratch->error = PYC_ERROR_CODE_READ;
    return 0;
  }
  pyc_u64 code_type = scratch->process.code_type;
  if (code_type && pyc_u64_at(scratch->code, layout->object_type & 0xf8) != code_type) {
    scratch->error = PYC_ERROR_BAD_CODE;
    return 0;
  }
  scratch->bytecode_size = pyc_bytecode_size(scratch);
  scratch->identity = pyc_mix_words((pyc_u64*)(scratch->code + (layout->code_identity_begin & 0xfc)));
  if (layout->code_version == PYC_NO_OFFSET || !pyc_u32_at(scratch->code, layout->code_version & 0xfc)) {
    pyc_identify_texts();
  }
  if (scratch->error) return 0;
  if (!pyc_is_seen(scratch, scratch->identity)) pyc_write_code(code);
  memo->address = code;
  memo->sequence = scratch->sequence;
  memo->value = scratch->identity;
  memo->size = scratch->bytecode_size;
  return memo;
}

#include "daemon/probe/definitions.h"

#include "daemon/probe/state.h"

// The bytes of a str, and what has to be released after use.
struct text {
  const char* bytes;
  uint64_t size;
  PyObject* owner;
};

static PyObject* type_of(PyObject* object) { return *(PyObject**)((char*)object + pyc_probe.layout.object_type); }

static struct text text_of(PyObject* object) {
  const struct pyc_probe_api* api = &pyc_probe.api;
  intptr_t size = 0;
  const char* bytes = object ? api->utf8(object, &size) : NULL;
  if (bytes) return (struct text){bytes, (uint64_t)size, NULL};
  // It has surrogates, or is no str.
  api->clear_error();
  PyObject* owner = object ? api->encoded(object, "utf-8", "backslashreplace") : NULL;
  if (owner) return (struct text){api->bytes(owner), (uint64_t)api->bytes_size(owner), owner};
  api->clear_error();
  return (struct text){"?", 1, NULL};
}

static uint64_t hash_of(const char* bytes, uint64_t size) {
  uint64_t hash = 0xcbf29ce484222325u ^ size;
  for (uint64_t i = 0; i < size; ++i) {
    hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    hash ^= hash >> 29;
  }
  return hash > PYC_FORGOTTEN ? hash : ~hash;
}

// All that follow, with the lock held: nothing of Python is called then, since who waits for it must not be waited for.

static uint32_t add_text(struct pyc_definitions* d, const char* bytes, uint64_t size) {
  struct pyc_ring_slot more[PYC_RING_MAX_TEXT / sizeof(struct pyc_ring_slot)];
  if (size > PYC_RING_MAX_TEXT) {
    size = PYC_RING_MAX_TEXT;
    while (size > 0 && (bytes[size] & 0xC0) == 0x80) --size;  // not within a character
  }
  const uint64_t hash = hash_of(bytes, size);
  const uint32_t known = pyc_find_id(&d->by_text, hash);
  if (known || !pyc_has_room(&d->by_text)) return known;
  const uint32_t slots = (uint32_t)((size + sizeof more[0] - 1) / sizeof more[0]);
  if (slots) more[slots - 1] = (struct pyc_ring_slot){0, 0};
  memcpy(more, bytes, size);
  const uint32_t id = ++d->texts;
  pyc_ring_write(&d->ring, PYC_RING_TEXT, 0, id, (uint32_t)size, more, slots);
  pyc_add_id(&d->by_text, hash, id);
  return id;
}

// Whether functions of a file are to be told of.
static int is_wanted(const struct text* file) {
  const char* name = file->bytes + file->size;
  while (name > file->bytes && name[-1] != '/') --name;
  int is_included = 0, has_includes = 0;
  for (const char* glob = pyc_probe.control->globs; *glob; ++glob) {
    const char kind = *glob++;
    int has_folder = 0;
    for (const char* at = glob; *at; ++at) has_folder |= *at == '/';
    const char* text = has_folder ? file->bytes : name;
    const int fits = pyc_is_like(text, (uint64_t)(file->bytes + file->size - text), glob);
    if (kind == '-' && fits) return 0;
    has_includes |= kind == '+';
    is_included |= kind == '+' && fits;
    while (*glob) ++glob;
  }
  return is_included || !has_includes;
}

struct function {
  struct text name, place;  // file or module
  uint64_t first_line;
  int is_c;
};

// `is_new` tells whether it had no number.
static uint32_t add_function(struct pyc_definitions* d, const void* key, const struct function* f, int* is_new) {
  pyc_lock(&d->lock);
  uint32_t id = pyc_find_id(&d->by_code, (uint64_t)(uintptr_t)key);
  *is_new = !id && pyc_has_room(&d->by_code);
  if (*is_new) {
    const uint32_t name = add_text(d, f->name.bytes, f->name.size);
    const struct pyc_ring_slot more[2] = {{add_text(d, f->place.bytes, f->place.size), f->first_line},
                                          {(uint64_t)f->is_c, 0}};
    id = ++d->functions;
    pyc_ring_write(&d->ring, PYC_RING_FUNCTION, 0, id, name, more, 2);
    if (!f->is_c && d->has_globs && !is_wanted(&f->place)) id |= PYC_HIDDEN;
    pyc_add_id(&d->by_code, (uint64_t)(uintptr_t)key, id);
  }
  pyc_unlock(&d->lock);
  return id;
}

// What a code object carries for us is its own address.
static void on_code_end(void* code) {
  if (!pyc_probe.records) return;
  pyc_lock(&pyc_probe.definitions.lock);
  pyc_forget_id(&pyc_probe.definitions.by_code, (uint64_t)(uintptr_t)code);
  pyc_unlock(&pyc_probe.definitions.lock);
}

void pyc_start_definitions(struct pyc_definitions* d, struct pyc_probe_control* control, uint32_t free_threaded) {
  *d = (struct pyc_definitions){.extra = -1, .has_globs = control->globs[0] != 0};
  pyc_start_ids(&d->by_text, free_threaded);
  pyc_start_ids(&d->by_code, free_threaded);
  pyc_start_ids(&d->by_place, free_threaded);
  pyc_ring_start(&d->ring, (struct pyc_ring*)((char*)control + control->definitions_at), &pyc_probe_means);
  // There are few of them, and none is ever given back.
  static intptr_t extra = -1;
  if (extra < 0 && pyc_probe.api.request_code_extra) extra = pyc_probe.api.request_code_extra(on_code_end);
  d->extra = extra;
}

uint32_t pyc_define_code(PyObject* code) {
  const struct pyc_probe_api* api = &pyc_probe.api;
  struct pyc_definitions* d = &pyc_probe.definitions;
  const struct pyc_held_error error = pyc_hold_error();
  PyObject* name = pyc_attribute(code, "co_qualname");
  if (!name) name = pyc_attribute(code, "co_name");
  PyObject* file = pyc_attribute(code, "co_filename");
  PyObject* line = pyc_attribute(code, "co_firstlineno");
  const long first = line ? api->long_value(line) : 0;
  const struct function function = {text_of(name), text_of(file), first > 0 ? (uint64_t)first : 0, 0};
  // Its number ends with it. Where that cannot be told it stays. Python takes for its end, too, that it is told again,
  // as in another recording before this one.
  const int is_told = d->extra >= 0 && api->set_code_extra(code, d->extra, code) == 0;
  int is_new;
  const uint32_t id = add_function(d, code, &function, &is_new);
  if (!is_told) api->clear_error();
  if (!is_told && is_new) api->retain(code);
  PyObject* used[] = {name, file, line, function.name.owner, function.place.owner};
  for (unsigned i = 0; i < sizeof used / sizeof used[0]; ++i) pyc_release(used[i]);
  pyc_restore_error(error);
  return id;
}

// The type, or null, that has a method: of one that was looked up in an object, be it a base of the object's own type.
static PyObject* owner_of(PyObject* callable) {
  PyObject* owner = pyc_attribute(callable, "__objclass__");
  if (owner) return owner;
  PyObject* self = pyc_attribute(callable, "__self__");
  PyObject* name = pyc_attribute(callable, "__name__");
  const struct text text = text_of(name);
  PyObject* method = self && !text.owner ? pyc_attribute(type_of(self), text.bytes) : NULL;
  owner = pyc_attribute(method, "__objclass__");
  PyObject* used[] = {self, name, text.owner, method};
  for (unsigned i = 0; i < sizeof used / sizeof used[0]; ++i) pyc_release(used[i]);
  return owner;
}

uint32_t pyc_define_c_function(PyObject* callable, const void* definition) {
  const struct pyc_held_error error = pyc_hold_error();
  PyObject* owner = owner_of(callable);
  PyObject* own_name = pyc_attribute(callable, "__name__");
  const struct text own_text = text_of(own_name);
  // list.append, also where it is called on a type that is derived from list.
  PyObject* method = owner && !own_text.owner ? pyc_attribute(owner, own_text.bytes) : NULL;
  PyObject* name = pyc_attribute(method ? method : callable, "__qualname__");
  PyObject* module = pyc_attribute(owner ? owner : callable, "__module__");
  // Of a function without a module its place is empty.
  const struct text nowhere = {"", 0, NULL};
  const struct function function = {text_of(name), module && module != pyc_probe.api.none ? text_of(module) : nowhere,
                                    0, 1};
  int is_new;
  const uint32_t id = add_function(&pyc_probe.definitions, definition, &function, &is_new);
  PyObject* used[] = {owner, own_name, own_text.owner, method, name, module, function.name.owner, function.place.owner};
  for (unsigned i = 0; i < sizeof used / sizeof used[0]; ++i) pyc_release(used[i]);
  pyc_restore_error(error);
  return id;
}

// What the instruction at an offset is called, without what an interpreter has put in its place.
static struct text opcode_at(PyObject* code, int64_t offset) {
  const struct pyc_probe_api* api = &pyc_probe.api;
  PyObject* bytes = pyc_probe.opcode_names ? pyc_attribute(code, "co_code") : NULL;
  PyObject* number = NULL;
  if (bytes && offset < api->bytes_size(bytes)) number = api->new_long((unsigned char)api->bytes(bytes)[offset]);
  PyObject* name = number ? api->item(pyc_probe.opcode_names, number) : NULL;
  if (!name) api->clear_error();
  pyc_release(number);
  pyc_release(bytes);
  struct text text = text_of(name);
  pyc_release(name);  // the list has it
  return text;
}

uint32_t pyc_define_place(uint32_t function, uint64_t place, PyObject* code, int64_t line, int64_t offset) {
  struct pyc_definitions* d = &pyc_probe.definitions;
  if (!function) return 0;
  struct text opcode = {NULL, 0, NULL};
  if (offset >= 0) {
    const struct pyc_held_error error = pyc_hold_error();
    opcode = opcode_at(code, offset);
    pyc_restore_error(error);
    line = pyc_probe.api.line_of(code, (int)offset);
  }
  function &= ~PYC_HIDDEN;
  pyc_lock(&d->lock);
  uint32_t id = pyc_find_id(&d->by_place, place);
  if (!id && pyc_has_room(&d->by_place)) {
    const uint64_t name = opcode.bytes ? add_text(d, opcode.bytes, opcode.size) : 0;
    id = ++d->places;
    const struct pyc_ring_slot more = {line > 0 ? (uint64_t)line : 0, name << 32 | (uint32_t)offset};
    pyc_ring_write(&d->ring, PYC_RING_LOCATION, 0, id, function, &more, 1);
    pyc_add_id(&d->by_place, place, id);
  }
  pyc_unlock(&d->lock);
  pyc_release(opcode.owner);
  return id;
}

uint32_t pyc_define_text(PyObject* object) {
  const struct pyc_held_error error = pyc_hold_error();
  const struct text text = text_of(object);
  pyc_lock(&pyc_probe.definitions.lock);
  const uint32_t id = add_text(&pyc_probe.definitions, text.bytes, text.size);
  pyc_unlock(&pyc_probe.definitions.lock);
  pyc_release(text.owner);
  pyc_restore_error(error);
  return id;
}

uint32_t pyc_define_type_of(PyObject* object) {
  enum { kLongest = 512 };
  char whole[kLongest];
  const struct pyc_held_error error = pyc_hold_error();
  PyObject* type = type_of(object);
  PyObject* module = pyc_attribute(type, "__module__");
  PyObject* name = pyc_attribute(type, "__qualname__");
  const struct text parts[] = {text_of(module), text_of(name)};
  uint64_t size = 0;
  for (int i = pyc_same_text(parts[0].bytes, parts[0].size, "builtins") ? 1 : 0; i < 2; ++i) {
    for (uint64_t at = 0; at < parts[i].size && size + 2 < kLongest; ++at) whole[size++] = parts[i].bytes[at];
    if (i == 0) whole[size++] = '.';
  }
  pyc_lock(&pyc_probe.definitions.lock);
  const uint32_t id = add_text(&pyc_probe.definitions, whole, size);
  pyc_unlock(&pyc_probe.definitions.lock);
  PyObject* used[] = {module, name, parts[0].owner, parts[1].owner};
  for (unsigned i = 0; i < sizeof used / sizeof used[0]; ++i) pyc_release(used[i]);
  pyc_restore_error(error);
  return id;
}

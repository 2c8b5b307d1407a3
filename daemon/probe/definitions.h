// What the target's functions, places in them and texts are called in the rings: each is defined once, in the ring of
// definitions, before an event refers to it. Any thread, with the GIL where there is one.
#pragma once

#include "daemon/probe/id_table.h"
#include "daemon/probe/probe.h"

struct pyc_definitions {
  uint32_t lock;
  uint32_t texts, functions, places;  // numbers that are taken
  uint32_t has_globs;
  struct pyc_id_table by_text;   // by a hash of their bytes
  struct pyc_id_table by_code;   // by code object, and by definition of a C function (PyMethodDef)
  struct pyc_id_table by_place;  // by function, and line or offset
  intptr_t extra;                // index of what code objects carry for us; negative: there is none
  struct pyc_ring_writer ring;
};

void pyc_start_definitions(struct pyc_definitions* d, struct pyc_probe_control* control, uint32_t free_threaded);

// What functions of excluded files have in their number: they are not told of.
#define PYC_HIDDEN (1u << 31)

// All give 0, which stands for nothing known, where the memory does not suffice; events of a function 0 are counted as
// lost. None leaves an exception behind, but what was set before is still there.
uint32_t pyc_define_code(PyObject* code);
uint32_t pyc_define_c_function(PyObject* callable, const void* definition);
// `place`: the function's number and what tells it apart within that. A line has no offset: -1.
uint32_t pyc_define_place(uint32_t function, uint64_t place, PyObject* code, int64_t line, int64_t offset);
uint32_t pyc_define_text(PyObject* text);
// Of an object's type, with its module unless that is builtins.
uint32_t pyc_define_type_of(PyObject* object);

// Imports: runs of the function of importlib that finds and loads a module. What is imported already never gets there.
#pragma once

#include "daemon/probe/tell.h"

extern PyObject* pyc_import_code;  // of that function, null: it is not known

void pyc_start_imports(void);
void pyc_stop_imports(void);
// That function is entered or left, as `type` of the ring says.
// The function itself tells which module, and who imports it: a frame, or null.
void pyc_import_begins(const struct pyc_moment* moment, PyObject* name, PyObject* caller);
void pyc_import_ends(const struct pyc_moment* moment, int is_found);
void pyc_import_moves(const struct pyc_moment* moment, uint32_t type);

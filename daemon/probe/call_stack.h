// Room for evaluating frames: Python 3.11 does so without the C stack, but not where a function of ours does it. Once a
// part of a thread's C stack is used up, another one is used, so that recursion goes as deep as it does without us and
// what is called has as much of the C stack left as ever.
#pragma once

#include "daemon/probe/evaluator.h"

// As Python's own function does; null, and an exception, when what is evaluated raised.
PyObject* pyc_evaluate(void* state, pyc_frame* frame, int throws);
// The same in the calling thread, which is this one.
PyObject* pyc_evaluate_with_room(struct pyc_thread* thread, pyc_frame* frame, int throws);
// Those that are not in use.
void pyc_free_stacks(void);

// The way of exceptions, as functions that trace see it: each frame that one comes to is told of, but neither that it
// is caught there nor that a handler lets it go on.
#pragma once

#include "daemon/probe/evaluator.h"

// All are told before the event itself. `frame` is a frame object.
// An exception is in a frame now.
void pyc_exception_comes(const struct pyc_moment* moment, const void* frame, PyObject* exception, PyObject* traceback);
// A frame goes on.
void pyc_line_begins(const struct pyc_moment* moment, const void* frame);
void pyc_instruction_begins(const struct pyc_moment* moment, const void* frame);
// Another frame is entered.
void pyc_frame_is_entered(const struct pyc_moment* moment, const void* frame);
// It is left, as `type` of the ring says.
void pyc_frame_is_left(const struct pyc_moment* moment, const void* frame, uint32_t type);

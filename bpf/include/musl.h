// Waiting for the GIL where the C library is musl: a condition variable's futex is not in it but on the stack of the
// thread that waits, in a list. musl 1.2.3 src/thread/pthread_cond_timedwait.c; for both sides of the kernel.
#pragma once

// From the end of struct _gil_runtime_state, which ends with cond, mutex, switch_cond, switch_mutex: v3.11.2
// Include/internal/pycore_gil.h. These types have the same sizes in glibc and musl.
#define PYC_GIL_COND_FROM_END 176u
#define PYC_GIL_SWITCH_COND_FROM_END 88u

#define PYC_MUSL_COND_HEAD 8u        // pthread_cond_t._c_head; a small counter in glibc
#define PYC_MUSL_WAITER_NEXT 8u      // struct waiter
#define PYC_MUSL_WAITER_BARRIER 20u  // the futex
#define PYC_MUSL_LOWEST_STACK (1ull << 32)

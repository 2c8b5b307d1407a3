// What a C library would give: the probe has none.
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline long pyc_system_call(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

enum {
  kSysMmap = 9,
  kSysMprotect = 10,
  kSysMunmap = 11,
  kSysSigprocmask = 14,
  kSysMadvise = 28,
  kSysNanosleep = 35,
  kSysGetpid = 39,
  kSysGetppid = 110,
  kSysGettid = 186,
  kSysFutex = 202
};

void* memset(void* to, int value, size_t size);
void* memcpy(void* restrict to, const void* restrict from, size_t size);

static inline void pyc_copy_text(char* to, const char* from, size_t room) {
  size_t i = 0;
  for (; from[i] && i + 1 < room; ++i) to[i] = from[i];
  to[i] = 0;
}

static inline int pyc_same_text(const char* text, uint64_t size, const char* other) {
  uint64_t i = 0;
  while (i < size && other[i] == text[i] && other[i]) ++i;
  return i == size && !other[i];
}

// Whether a text is as a glob says: * stands for any characters, ? for one, all others for themselves.
static inline int pyc_is_like(const char* text, uint64_t size, const char* glob) {
  const char* const end = text + size;
  const char *star = NULL, *tried = NULL;
  while (text < end) {
    if (*glob == '*') {
      star = ++glob;
      tried = text;
    } else if (*glob && (*glob == '?' || *glob == *text)) {
      ++glob;
      ++text;
    } else if (star) {
      glob = star;
      text = ++tried;
    } else {
      return 0;
    }
  }
  while (*glob == '*') ++glob;
  return !*glob;
}

// Zeros; null without memory.
static inline void* pyc_map(uint64_t size) {
  enum { kReadWrite = 3, kPrivateAnonymous = 0x22 };
  const long address = pyc_system_call(kSysMmap, 0, (long)size, kReadWrite, kPrivateAnonymous, -1, 0);
  return address < 0 && address > -4096 ? NULL : (void*)address;
}

// Memory that is about to be written to; where the kernel cannot (before 5.14) it comes page by page.
static inline void pyc_populate(void* address, uint64_t size) {
  enum { kPopulateWrite = 23 };
  pyc_system_call(kSysMadvise, (long)address, (long)size, kPopulateWrite, 0, 0, 0);
}

static inline void pyc_unmap(void* address, uint64_t size) {
  if (address) pyc_system_call(kSysMunmap, (long)address, (long)size, 0, 0, 0, 0);
}

// 1, and 0 in each child that is forked. Where the kernel cannot (before 4.14), 1 there as well; null without memory.
enum { kForkMarkSize = 4096 };
static inline uint32_t* pyc_new_fork_mark(void) {
  enum { kWipeOnFork = 18 };
  uint32_t* mark = pyc_map(kForkMarkSize);
  if (!mark) return NULL;
  pyc_system_call(kSysMadvise, (long)mark, kForkMarkSize, kWipeOnFork, 0, 0, 0);
  *mark = 1;
  return mark;
}
static inline void pyc_end_fork_mark(uint32_t* mark) { pyc_unmap(mark, kForkMarkSize); }

static inline void pyc_pause_50us(void) {
  const int64_t pause[2] = {0, 50000};
  pyc_system_call(kSysNanosleep, (long)pause, 0, 0, 0, 0, 0);
}

// Another process waits at the word, which both share.
static inline void pyc_wake(uint32_t* word) {
  enum { kFutexWake = 1 };
  __atomic_fetch_add(word, 1, __ATOMIC_RELEASE);
  pyc_system_call(kSysFutex, (long)word, kFutexWake, 1, 0, 0, 0);
}

// All of the calling thread, which is ours.
static inline void pyc_block_signals(void) {
  enum { kBlock = 0 };
  const uint64_t all = ~(uint64_t)0;
  pyc_system_call(kSysSigprocmask, kBlock, (long)&all, 0, sizeof all, 0, 0);
}

static inline void pyc_lock(uint32_t* lock) {
  while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE)) pyc_pause_50us();
}
static inline void pyc_unlock(uint32_t* lock) { __atomic_store_n(lock, 0, __ATOMIC_RELEASE); }

static inline uint64_t pyc_hash(const void* pointer) { return (uint64_t)(uintptr_t)pointer * 0x9E3779B97F4A7C15u; }

#include "daemon/probe/freestanding.h"

// The compiler calls these by itself, and would make calls of them of these loops as well.
void* memset(void* to, int value, size_t size) {
  char* bytes = to;
  for (size_t i = 0; i < size; ++i) {
    bytes[i] = (char)value;
    __asm__ volatile("" ::: "memory");
  }
  return to;
}

void* memcpy(void* restrict to, const void* restrict from, size_t size) {
  char* bytes = to;
  for (size_t i = 0; i < size; ++i) {
    bytes[i] = ((const char*)from)[i];
    __asm__ volatile("" ::: "memory");
  }
  return to;
}

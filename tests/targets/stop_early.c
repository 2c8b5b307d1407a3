/* Preloaded into a Python: holds it in the dynamic loader, before the interpreter exists, until standard input ends. */
#include <unistd.h>

__attribute__((constructor)) static void hold(void) {
  char byte;
  if (write(STDOUT_FILENO, "ready\n", 6) != 6) {
    _exit(1);
  }
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

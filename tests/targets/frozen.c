// What frozen applications do: loads a libpython out of a folder of its own and calls it. argv: library, then Python's.
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char** argv) {
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
  int (*run)(int, char**) = library ? (int (*)(int, char**))dlsym(library, "Py_BytesMain") : NULL;
  if (!run) return fprintf(stderr, "%s\n", dlerror()), 1;
  argv[1] = argv[0];
  return run(argc - 1, argv + 1);
}

/* A program that embeds a shared libpython and behaves as python3 does: the interpreter is not in the executable. */
#include <Python.h>

int main(int argc, char** argv) { return Py_BytesMain(argc, argv); }

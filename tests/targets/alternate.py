"""Alternates between two call chains as fast as it can: the worst case for a sampler that does not read stacks at one instant.

Each function's calls have one line each, so a caller's line says exactly which callee may be above it.
"""


def leaf_a(x):
    return x + 1


def middle_a(x):
    return leaf_a(x)


def outer_a(x):
    return middle_a(x)


def leaf_b(x):
    return x - 1


def middle_b(x):
    return leaf_b(x)


def outer_b(x):
    return middle_b(x)


def main():
    print("ready", flush=True)
    x = 0
    while True:
        x = outer_a(x)
        x = outer_b(x)


main()

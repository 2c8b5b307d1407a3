"""A generator that delegates to another one which does the work: consume → outer_generator → inner_generator → crunch."""


def crunch(n):
    total = 0
    for i in range(n):
        total += i
    return total


def inner_generator():
    while True:
        yield crunch(2000)


def outer_generator():
    yield from inner_generator()


def consume(values):
    for value in values:
        assert value


print("ready", flush=True)
consume(outer_generator())

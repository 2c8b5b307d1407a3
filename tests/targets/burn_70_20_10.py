"""Three functions that burn 70, 20 and 10 % of the thread's CPU time, by its own clock."""

from time import thread_time_ns

MILLISECOND = 1_000_000


def burn_70(until):
    while thread_time_ns() < until:
        pass


def burn_20(until):
    while thread_time_ns() < until:
        pass


def burn_10(until):
    while thread_time_ns() < until:
        pass


def main():
    print("ready", flush=True)
    # Deadlines follow each other without a gap, so that what a burner overruns is the next one's loss only once. The
    # cycle is no multiple of a sampling period.
    deadline = thread_time_ns()
    while True:
        deadline += 70 * MILLISECOND // 9
        burn_70(deadline)
        deadline += 20 * MILLISECOND // 9
        burn_20(deadline)
        deadline += 10 * MILLISECOND // 9
        burn_10(deadline)


main()

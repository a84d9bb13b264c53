"""The cores that this process may use: how many, its own share where it is given fewer than there are, and how."""

import os


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def let_waiting_threads_sleep() -> None:
    """Have the threads of numpy, SciPy and scikit-learn sleep while they wait for each other.

    To be called before any of them is imported; the processes that this one starts do so too. By default they spin,
    which takes the cores from whoever has work: two processes that evaluated at once on two cores took 4.5 times as
    long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")  # spins of 2^4 cycles; the default of 2^26 is 30 ms

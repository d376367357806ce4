"""Functions that another process is asked to call."""

import os


def factors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]


def process() -> int:
    return os.getpid()

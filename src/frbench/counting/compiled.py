"""One decorator for the compiled loops of this package, so that all obey the same rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile without fast-math, release the interpreter lock, keep the machine code on disk.

    Fast-math would let the compiler reorder sums, and with them the bits of a score. A kernel
    must not call a kernel of another file: the disk cache looks at one file's age only.
    """
    loop: Callable[P, R] = njit(nogil=True, cache=True, error_model="numpy")(function)
    return loop

"""How the memory of this process is kept from one step to the next."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # Source: malloc.h of glibc
_LARGE = 2**30  # bytes; more than any state of a batch


def keep_memory() -> bool:
    """Makes glibc keep what a step frees for the next one; whether the process runs on a C library that can.

    Otherwise each state of a batch, many megabytes, is asked of the kernel and given back to it in every step, and the
    kernel clears it page by page: a third of the time of a small convolutional network on two cores. Nothing that is
    computed depends on it. It holds for the whole process and can't be taken back.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    # Before 2.35 glibc refused thresholds above 32 MB; without a single mapping there is nothing to be above of.
    mapped = mallopt(_MMAP_THRESHOLD, _LARGE) or mallopt(_MMAP_MAX, 0)
    return bool(mapped and mallopt(_TRIM_THRESHOLD, 2**31 - 1))

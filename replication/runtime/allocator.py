"""How the memory allocator treats what a training frees: it keeps it for the next step.

A training step allocates and frees the same tensors again and again. By default glibc returns
freed memory to the operating system, which then has to map and zero it at the next step.
docs/explanation/performance.md says how much faster training is without that. The values of
tensors do not depend on it.
"""

from collections.abc import MutableMapping

_GIB = 2**30
TUNABLES = {
    # Freed memory at the end of the heap is returned only beyond this size.
    "glibc.malloc.trim_threshold": _GIB,
    # Smaller blocks come from the heap; each larger one is mapped and unmapped on its own.
    "glibc.malloc.mmap_threshold": _GIB,
    # Asks for pages of 2 MiB, where the kernel gives them on request.
    "glibc.malloc.hugetlb": 1,
}
"""Parameters of glibc's allocator, in bytes where they are sizes (glibc's manual, *Tunables*).

Versions of glibc that do not know one of them, and other C libraries, ignore it.
"""
VARIABLE = "GLIBC_TUNABLES"


def keep_freed_memory(environment: MutableMapping[str, str]) -> None:
    """Set `TUNABLES` for the processes that are started with this environment.

    Where the variable is set already it stays as it is: the user has chosen.
    """
    settings = ":".join(f"{name}={value}" for name, value in TUNABLES.items())
    environment.setdefault(VARIABLE, settings)

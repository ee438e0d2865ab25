"""How much memory this machine has."""

import os


def physical_memory() -> int | None:
    """Bytes of memory of this machine; `None` where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf, and other systems other names
        return None


def gigabytes(count: float) -> str:
    """A number of bytes in words, such as `"3.2 GB"`."""
    return f"{count / 1e9:,.1f} GB"

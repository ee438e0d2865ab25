"""The machine and the packages a result belongs to."""

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

PACKAGES = ("keras_snnkd", "keras", "tensorflow", "ai-edge-litert", "jax", "torch", "spikingjelly", "snntorch", "numpy")

FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
"""Instructions that decide how fast convolutions are."""

LIMIT = "ONEDNN_MAX_CPU_ISA"
"""The environment variable that makes a machine act as one with AVX2 alone, with `XLA_FLAGS=--xla_cpu_max_isa=AVX2` and
`ATEN_CPU_CAPABILITY=avx2` beside it."""

WIDTHS = {"avx512f": "AVX-512", "avx2": "AVX2"}
"""Instructions by their width, the widest first, as a reader knows them."""


def machine() -> dict[str, Any]:
    """Processor, cores, memory and system."""
    processor = _listed("/proc/cpuinfo")
    memory = _listed("/proc/meminfo").get("MemTotal", "")
    flags = processor.get("flags", "").split()
    return {
        "processor": processor.get("model name") or platform.processor() or platform.machine(),
        "instructions": [feature for feature in FEATURES if feature in flags and _allowed(feature)],
        "cores": os.cpu_count(),
        "memory GB": round(int(memory.split()[0]) / 1e6) if memory else None,
        "system": platform.system(),
        "load before": [round(load, 1) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
    }


def vector_width(instructions: Sequence[str] | None = None) -> str:
    """The widest vector instructions in words, which every table names: "AVX-512", "AVX2" or "older than AVX2".

    Args:
        instructions: As in `machine`; by default those of this machine.
    """
    found = machine()["instructions"] if instructions is None else instructions
    return next((name for feature, name in WIDTHS.items() if feature in found), "older than AVX2")


def versions() -> dict[str, str]:
    """Of Python and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def _allowed(feature):
    return feature == "avx2" or os.environ.get(LIMIT) != "AVX2"


def _listed(path):
    """Linux' list of `name : value`, the first of each name."""
    found: dict[str, str] = {}
    with suppress(OSError):
        for line in Path(path).read_text("utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            found.setdefault(name.strip(), value.strip())
    return found

"""Device, precision and seeds: one object, one place, handed to whoever needs it."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from frbench.errors import InputError


@dataclass(frozen=True)
class DeviceSpec:
    """Where networks run (config group ``device``): ``auto``, ``cpu`` or ``cuda[:N]``."""

    kind: str = "auto"

    def resolve(self) -> str:
        """The torch device to use; ``auto`` takes a GPU when one is there.

        Raises:
            InputError: a GPU was asked for by name and there is none.
        """
        import torch

        if self.kind == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        if self.kind.startswith("cuda") and not torch.cuda.is_available():
            raise InputError(
                f"device={self.kind}: this machine has no usable CUDA device; take device=cpu."
            )
        if self.kind != "cpu" and not self.kind.startswith("cuda"):
            raise InputError(f"device={self.kind} is unknown; take auto, cpu or cuda.")
        return self.kind


def generator(seed: int, stream: str) -> np.random.Generator:
    """A generator of its own for each named use, so that adding one use never shifts another."""
    digest = hashlib.sha256(stream.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])


def machine() -> dict[str, Any]:
    """What the run was made on, for the record."""
    record: dict[str, Any] = {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    # a verb that never used it has no threads of it to record, and need not wait for it to load
    torch = sys.modules.get("torch")
    if torch is None:
        return record
    record["torch_threads"] = torch.get_num_threads()
    if torch.cuda.is_available():
        record["gpu"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return record


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()

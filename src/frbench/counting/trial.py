"""Which lanes a device gets: none works before it has reproduced known integers there."""

from __future__ import annotations

import os
import warnings
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from frbench.counting.digits import digits
from frbench.counting.histograms import bin_shift
from frbench.counting.images import Images
from frbench.counting.layout import Tile, lay_out
from frbench.counting.torch_tiles import TorchTiles, float64_product
from frbench.counting.uploaded import Found, Uploaded
from frbench.errors import InputError


def usable(name: str) -> torch.device:
    """The named device.

    Raises:
        InputError: there is no such device here.
    """
    try:
        device = torch.device(name)
        if device.type == "cuda" and device.index is None:
            device = torch.device("cuda", torch.cuda.current_device())
        torch.zeros(1, device=device)
    except (AssertionError, NotImplementedError, RuntimeError) as problem:
        reason = str(problem).splitlines()[0]
        raise InputError(
            f"device {name!r} cannot be used for comparing ({reason}); take device=cpu"
        ) from problem
    return device


def tiles_for(device: torch.device, bins: bool) -> Any:
    """The class of lanes for a device: the kernel where it runs and is exact, else plain torch.

    Raises:
        InputError: neither gives the right integers on this device.
    """
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    if (device.type == "cuda" or interpreted) and find_spec("triton") is not None:
        from frbench.counting.fused import FusedTiles

        problem = trial(FusedTiles, str(device), bins)
        if not problem:
            return FusedTiles
        warnings.warn(
            f"the comparison kernel does not work on {device} ({problem}); plain torch operations "
            "take its place, slower and with the same result",
            RuntimeWarning,
            stacklevel=2,
        )
    problem = trial(TorchTiles, str(device), bins)
    if problem:
        raise InputError(
            f"device '{device}' cannot be used for comparing ({problem}); take device=cpu"
        )
    return TorchTiles


@lru_cache(maxsize=64)
def trial(make: Any, device: str, bins: bool) -> str:
    """Why lanes of a class are not to be used on a device; empty if they reproduce the integers.

    Compared are candidates and histograms of a small ragged triangle with a float64 product.
    """
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((150, 24)).astype(np.float32)
    group = np.repeat(np.array([0, 1], np.int16), [50, 100])
    layout = lay_out(
        Images(np.arange(150, dtype=np.int32), group, 0 * group, np.ones(150, np.bool_))
    )
    number = 64 if bins else 0
    split = digits(vectors, layout.order, bins=number)
    shift = bin_shift(split, number) if bins else 0
    tile, floor = Tile(0, 150, 0, 150, True), 5.0
    try:
        there = Uploaded(split, layout, torch.device(device), bins=number, shift=shift)
        found = make(there).find(tile, floor)
    except Exception as error:  # whatever a compiler or driver may raise
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    here = Uploaded(split, layout, torch.device("cpu"), bins=number, shift=shift)
    known = TorchTiles(here, product=float64_product).find(tile, floor)
    return "" if _content(found) == _content(known) else "its results differ"


def _content(found: Found | None) -> object:
    if found is None:
        return None
    pairs = sorted(zip(found.rows.tolist(), found.columns.tolist(), strict=True))
    return pairs, {(a, b): counts.tolist() for a, b, counts in found.counts}

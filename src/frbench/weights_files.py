"""Weights files that a user brings: named tensors out of them, and never a line of code run.

A .pt file is a pickle, which can name any function of Python to be called on loading. Torch's
restricted reader builds tensors and plain containers only, and stops at anything else.
"""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from frbench.errors import InputError

_NESTS = ("state_dict", "model_state_dict", "model", "network", "weights")
_REASON = 120


def read_weights(path: Path, name: str) -> bytes:
    """The whole file, read once, so that what is hashed is what is loaded."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{name}: no weights at {path} ({error.strerror}); frbench downloads nothing and runs "
            "no network with random weights"
        ) from None


def tensors_of(data: bytes, name: str, *, lone: bool = False) -> dict[str, Any]:
    """The named tensors in the bytes of a .pt or .safetensors file.

    A state dict may lie under one of the usual names of a training checkpoint (``state_dict``,
    ``model`` and the like) beside plain numbers; what lies beside it is passed over.

    Args:
        data: the file.
        name: of the matcher or file, for the sentence.
        lone: take a tensor that is alone, under the name "".

    Raises:
        InputError: the file is damaged, holds more than tensors, or no state dict.
    """
    import torch

    content = _loaded(data, name)
    if lone and isinstance(content, torch.Tensor):
        return {"": content}
    if isinstance(content, Mapping):
        for key in _NESTS:
            if isinstance(content.get(key), Mapping):
                content = content[key]
                break
    if not isinstance(content, Mapping) or not all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in content.items()
    ):
        raise InputError(f"{name}: the weights file is no state dict (names and tensors)")
    return dict(content)


def _loaded(data: bytes, name: str) -> Any:
    import safetensors
    import safetensors.torch
    import torch

    # a .safetensors file begins with the length of its JSON header, a .pt with a zip's or a
    # pickle's magic number
    is_safetensors = data[8:9] == b"{"
    try:
        if is_safetensors:
            return safetensors.torch.load(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on odd pickles, which are refused anyway
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError,
        zipfile.BadZipFile,
        EOFError,
        RuntimeError,
        ValueError,
        KeyError,
        AttributeError,
        TypeError,
        IndexError,
        AssertionError,
        safetensors.SafetensorError,
    ) as error:
        lines = str(error).strip().splitlines()
        reason = lines[0][:_REASON] if lines else type(error).__name__
        raise InputError(
            f"{name}: the weights file cannot be loaded safely ({reason}); it must hold tensors "
            "only, as a state dict or a .safetensors file does"
        ) from None

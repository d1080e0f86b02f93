"""Between uint8 faces and somebody else's network: pixels in, one vector a face out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from frbench.conventions import Flip
from frbench.errors import InputError
from frbench.matchers import Faces, Preprocess
from frbench.values import Float32s

CHANNELS = 3
Layout = Literal["NCHW", "NHWC"]
Pixels = npt.NDArray[Any]
Forward = Callable[[Pixels], npt.NDArray[Any]]


def layout_of(shape: Sequence[int | str], path: Path, given: str | None) -> Layout:
    """Where the channels are, from the axis of length 3.

    Raises:
        InputError: not four axes, or no one axis of three channels and none ``given``.
    """
    if len(shape) != 4:
        raise InputError(
            f"{path}: the input has {len(shape)} axes {list(shape)}; a batch of images has four"
        )
    if given in ("NCHW", "NHWC"):
        return "NCHW" if given == "NCHW" else "NHWC"
    if given is not None:
        raise InputError(f"matcher.layout={given} is unknown; use NCHW or NHWC")
    if (shape[1] == CHANNELS) == (shape[3] == CHANNELS):
        raise InputError(
            f"{path}: the input's shape {list(shape)} does not tell where the three colours are; "
            "say so with matcher.layout=NCHW or matcher.layout=NHWC"
        )
    return "NCHW" if shape[1] == CHANNELS else "NHWC"


def as_input(
    faces: Faces, preprocess: Preprocess, *, layout: Layout = "NCHW", dtype: str = "float32"
) -> Pixels:
    """The faces as the network wants them, each value rounded once.

    A byte has 256 values, so (x - mean) / std is worked out for each of them in float64 and
    looked up: nothing depends on the order in which somebody's pipeline scales and shifts.

    Args:
        faces: uint8 (b, S, S, 3) RGB.
        preprocess: colour order, mean and std.
        layout: where the channels go.
        dtype: ``float32``, ``float16``, ``float64`` or ``uint8``; the last takes no arithmetic.

    Raises:
        InputError: uint8 pixels with a mean or std, which such a network applies by itself.
    """
    if preprocess.colour_order == "BGR":
        faces = faces[..., ::-1]
    if dtype == "uint8":
        if set(preprocess.mean) != {0.0} or set(preprocess.std) != {1.0}:
            raise InputError(
                "this network takes bytes and so normalises them by itself; name a convention "
                "with mean 0 and std 1, such as matcher.convention=sface"
            )
        values: Pixels = faces
    else:
        byte = np.arange(256, dtype=np.float64)[:, None]
        table = ((byte - np.array(preprocess.mean)) / np.array(preprocess.std)).astype(dtype)
        values = np.stack([table[faces[..., each], each] for each in range(3)], axis=-1)
    if layout == "NCHW":
        values = values.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(values)


def check_faces(faces: Faces, size: int, name: str) -> None:
    """Raise InputError unless the faces are uint8 (b, size, size, 3)."""
    if faces.dtype != np.uint8 or faces.ndim != 4 or faces.shape[1:] != (size, size, 3):
        raise InputError(
            f"matcher {name} wants faces of uint8 {size} x {size} x 3, not {faces.dtype} "
            f"{tuple(faces.shape[1:])}"
        )


def in_batches(forward: Forward, pixels: Pixels, batch: int | None) -> Float32s:
    """float32 (b, d): the network applied to all faces.

    Args:
        forward: the network: pixels (n, ...) to vectors of n rows.
        pixels: (b, ...).
        batch: the only number of faces that the network takes at once; None: any. The last
            batch is filled up with copies of its last face, whose vectors are left out.

    Raises:
        InputError: the network does not return one vector a face.
    """
    if batch is None:
        return rows(forward(pixels), len(pixels))
    parts = []
    for start in range(0, len(pixels), batch):
        part = pixels[start : start + batch]
        filler = np.repeat(part[-1:], batch - len(part), axis=0)
        found = rows(forward(np.concatenate([part, filler])), batch)
        parts.append(found[: len(part)])
    return np.concatenate(parts)


def rows(found: npt.NDArray[Any], faces: int) -> Float32s:
    """float32 (faces, d) from what a network returned; axes of length 1 behind d are dropped.

    Raises:
        InputError: another number of rows, or a map where a vector should be.
    """
    found = np.asarray(found)
    shape = found.shape
    while found.ndim > 2 and found.shape[-1] == 1:
        found = found[..., 0]
    if found.ndim != 2 or len(found) != faces or found.shape[1] == 0:
        raise InputError(
            f"the network returned an array of shape {shape} for {faces} faces; a matcher returns "
            "one vector a face, so export it with its last pooling and layers, or name another "
            "output with matcher.output=NAME"
        )
    return found.astype(np.float32)


def with_mirror(embed: Callable[[Faces], Float32s], faces: Faces, flip: Flip) -> Float32s:
    """The vectors, with those of the mirrored faces added or put behind them.

    What is added are the vectors as the network returns them, before any scaling to unit length.
    """
    if len(faces) == 0:
        # the length of the vectors is known to the network only, and many refuse an empty batch
        return with_mirror(embed, np.zeros((1, *faces.shape[1:]), np.uint8), flip)[:0]
    straight = embed(faces)
    if flip == "none":
        return straight
    mirrored = embed(np.ascontiguousarray(faces[:, :, ::-1]))
    if flip == "sum":
        return straight + mirrored
    return np.concatenate([straight, mirrored], axis=1)


def flip_of(given: str | None, otherwise: Flip) -> Flip:
    """The setting ``matcher.flip``. Raises InputError when it is none of ``Flip``."""
    for choice in get_args(Flip):
        if given == choice:
            return choice  # type: ignore[no-any-return]  # get_args() loses the type
    if given is not None:
        raise InputError(f"matcher.flip={given} is unknown; use one of {', '.join(get_args(Flip))}")
    return otherwise

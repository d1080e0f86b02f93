"""From the bytes of an image file to upright 8-bit RGB pixels, or one sentence why not."""

from __future__ import annotations

import io
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError, features
from PIL import __version__ as pillow_version

from frbench.detectors import Image

MAX_PIXELS = 89_478_485
"""Largest image that is opened, pixels: Pillow's own limit, a quarter of a gigabyte of RGB."""

_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF", "PPM")
_DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N")


class UnreadableImage(Exception):
    """The file is no image that can be used; the message says why, without the file's name."""


def decode(data: bytes) -> Image:
    """The picture as uint8 (H, W, 3) RGB, turned upright by its EXIF orientation.

    Grey is repeated over the channels, 16-bit grey is scaled to 8, transparent areas become
    white, palettes and CMYK are converted; of several frames the first counts.

    Raises:
        UnreadableImage: no bytes, no known format, damaged, too large, or floating-point pixels.
    """
    if not data:
        raise UnreadableImage("the file is empty")
    try:
        with Pillow.open(io.BytesIO(data), formats=_FORMATS) as picture:
            _check_size(picture)
            upright = ImageOps.exif_transpose(picture)
            return np.array(_to_rgb(upright))
    except UnreadableImage:
        raise
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        raise UnreadableImage(f"more than {MAX_PIXELS} pixels") from None
    except UnidentifiedImageError:
        raise UnreadableImage("not an image in a known format") from None
    except Exception as error:  # decoders raise nearly anything on damaged bytes
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnreadableImage(f"damaged ({reason})") from None


def read_image(path: Path) -> bytes:
    """The file's bytes. Raises UnreadableImage where there is no file, or a pipe or device."""
    try:
        _check_regular(path)
        return path.read_bytes()
    except OSError as error:
        raise UnreadableImage((error.strerror or str(error)).lower()) from None


def check_header(path: Path) -> None:
    """Raises UnreadableImage where the file is absent, empty, too large or no known image."""
    try:
        _check_regular(path)
        if path.stat().st_size == 0:
            raise UnreadableImage("the file is empty")
        with Pillow.open(path, formats=_FORMATS) as picture:
            _check_size(picture)
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        raise UnreadableImage(f"more than {MAX_PIXELS} pixels") from None
    except UnidentifiedImageError:
        raise UnreadableImage("not an image in a known format") from None
    except OSError as error:
        raise UnreadableImage((error.strerror or str(error)).lower()) from None


@contextmanager
def quiet_decoding() -> Iterator[None]:
    """Pillow's remarks on odd metadata silenced, its warning about huge images made an error.

    Warning filters belong to the process, so this goes around the threads, not inside them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
        warnings.simplefilter("error", Pillow.DecompressionBombWarning)
        yield


def decoder_identity() -> dict[str, str]:
    """Versions of what decodes, since decoders differ in the last bit of a JPEG."""
    codecs = {name: str(features.version(name)) for name in ("jpg", "zlib", "webp", "libtiff")}
    return {"pillow": pillow_version, **codecs}


def _check_regular(path: Path) -> None:
    """Reading a pipe would wait for ever."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise UnreadableImage("not a regular file")


def _check_size(picture: Pillow.Image) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise UnreadableImage(f"{width} x {height} is more than {MAX_PIXELS} pixels")


def _to_rgb(picture: Pillow.Image) -> Pillow.Image:
    if picture.mode == "F":
        raise UnreadableImage("floating-point pixels have no fixed range; save it as 8-bit")
    if picture.mode in _DEEP_MODES:
        deep = np.asarray(picture).astype(np.int64)
        if deep.min() < 0 or deep.max() > 65535:
            raise UnreadableImage("more than 16 bits a pixel; save it as 8-bit")
        return Pillow.fromarray((deep // 257).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        seen = picture.convert("RGBA")
        paper = Pillow.new("RGBA", seen.size, "white")
        return Pillow.alpha_composite(paper, seen).convert("RGB")
    return picture.convert("RGB")

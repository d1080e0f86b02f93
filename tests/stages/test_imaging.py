"""Decoding: odd files become upright 8-bit RGB, and bad ones a sentence."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from frbench.imaging import UnreadableImage, decode, quiet_decoding

COLOURS = np.array(
    [[[200, 30, 40], [20, 180, 60], [0, 0, 250]], [[255, 255, 255], [0, 0, 0], [90, 90, 90]]],
    dtype=np.uint8,
)


def saved(picture, form="PNG", **options):
    """The picture as the bytes of a file."""
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_come_back_exactly(form):
    """RGB is RGB."""
    np.testing.assert_array_equal(decode(saved(Pillow.fromarray(COLOURS), form)), COLOURS)


def test_webp_and_gif():
    """Lossless WebP exactly; a GIF's first frame."""
    data = saved(Pillow.fromarray(COLOURS), "WEBP", lossless=True)
    np.testing.assert_array_equal(decode(data), COLOURS)
    frames = [Pillow.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (decode(data) == [255, 0, 0]).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned_upright(orientation):
    """Each of the eight EXIF orientations gives the same upright picture."""
    upright = COLOURS
    undo = {
        1: lambda p: p, 2: np.fliplr, 3: lambda p: np.rot90(p, 2), 4: np.flipud,
        5: lambda p: p.transpose(1, 0, 2), 6: np.rot90,
        7: lambda p: np.rot90(p, 2).transpose(1, 0, 2), 8: lambda p: np.rot90(p, -1),
    }  # fmt: skip
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    stored = Pillow.fromarray(np.ascontiguousarray(undo[orientation](upright)))
    np.testing.assert_array_equal(decode(saved(stored, "PNG", exif=exif)), upright)


def test_grey_and_deep_grey():
    """8-bit grey is repeated; 16-bit grey is scaled so that white stays white."""
    grey = np.array([[0, 128, 255]], dtype=np.uint8)
    np.testing.assert_array_equal(
        decode(saved(Pillow.fromarray(grey))), np.repeat(grey[..., None], 3, 2)
    )
    deep = np.array([[0, 32896, 65535]], dtype=np.uint16)
    for form in ("PNG", "TIFF"):
        np.testing.assert_array_equal(
            decode(saved(Pillow.fromarray(deep), form)), np.repeat(grey[..., None], 3, 2)
        )
    bits = decode(saved(Pillow.fromarray(grey > 100)))
    assert bits[0, :, 0].tolist() == [0, 255, 255]


def test_transparent_areas_become_white():
    """What hides under alpha is not shown."""
    clear = np.dstack([COLOURS, np.array([[255, 0, 255], [255, 255, 0]], np.uint8)])
    found = decode(saved(Pillow.fromarray(clear)))
    assert found[0, 0].tolist() == [200, 30, 40]
    assert found[0, 1].tolist() == [255, 255, 255]
    assert found[1, 2].tolist() == [255, 255, 255]


def test_palettes_and_cmyk():
    """A palette PNG exactly (with its transparency), a CMYK JPEG nearly."""
    picture = Pillow.fromarray(COLOURS).quantize(6)
    np.testing.assert_array_equal(decode(saved(picture)), np.asarray(picture.convert("RGB")))
    with quiet_decoding():
        see_through = decode(saved(picture, transparency=picture.getpixel((0, 0))))
    assert see_through[0, 0].tolist() == [255, 255, 255]
    red = Pillow.new("RGB", (16, 16), (220, 30, 40)).convert("CMYK")
    assert np.abs(decode(saved(red, "JPEG", quality=95)).astype(int) - [220, 30, 40]).max() < 8


def bomb(width, height):
    """A PNG of a few bytes that claims to be huge."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(100_000, 100_000), (10_000, 9_000)])
def test_decompression_bombs_are_not_opened(size):
    """Refused by the header, before memory is asked for."""
    with quiet_decoding(), pytest.raises(UnreadableImage, match="pixels"):
        decode(bomb(*size))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"GIF89a", "not an image|damaged"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image in a known format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image in a known format"),
        (saved(Pillow.fromarray(COLOURS), "BMP")[:60], "damaged"),
        (saved(Pillow.new("F", (4, 4)), "TIFF"), "floating-point"),
        (saved(Pillow.fromarray(np.full((2, 2), 70000, np.int32)), "TIFF"), "more than 16 bits"),
    ],
)
def test_files_that_are_no_pictures(data, words):
    """Each with its reason; formats that run programs are not tried at all."""
    with pytest.raises(UnreadableImage, match=words):
        decode(data)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(["PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF"]), st.data())
def test_damaged_bytes_never_escape(form, data):
    """Whatever is cut or flipped, the answer is a picture or the one exception."""
    good = bytearray(saved(Pillow.fromarray(np.tile(COLOURS, (6, 5, 1))), form))
    for _ in range(data.draw(st.integers(0, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(good[: data.draw(st.integers(0, len(good)))])
    with quiet_decoding():
        try:
            found = decode(cut)
        except UnreadableImage:
            return
    assert found.dtype == np.uint8
    assert found.ndim == 3
    assert found.shape[2] == 3

"""Miniature copies of distributors' layouts: rendered squares of colour, no face at all."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from PIL import Image

from frbench.errors import InputError


def picture(path: Path) -> Path:
    """An 8 x 8 image of one colour, which its name decides, in the format that its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number = zlib.crc32(path.name.encode())
    colour = (number & 255, number >> 8 & 255, number >> 16 & 255)
    Image.new("RGB", (8, 8), colour).save(path)
    return path


def pictures(root: Path, *names: str) -> Path:
    """Images of these names below the root."""
    for name in names:
        picture(root / name)
    return root


def text(path: Path, content: str) -> str:
    """A file of this content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return str(path)


def refusal(benchmark) -> str:
    """The sentence that loading ends with."""
    with pytest.raises(InputError) as caught:
        benchmark.load()
    return str(caught.value)


def labels_of(faces, column: str) -> dict[str, str]:
    """Path -> value of a label or covariate, "?" where it is missing."""
    table = faces.faces
    name = f"label_{column}" if f"label_{column}" in table else column
    return dict(zip(table["path"], table[name].fillna("?"), strict=True))

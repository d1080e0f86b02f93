"""Conventions: how a family of networks wants its pixels, as data in a YAML file each.

Hardly any weights file says it: the order of the colours, the mean and the deviation are known to
those who trained it. A wrong guess gives a matcher that works a little, which is worse than one
that fails. So a convention is always named by a person, and its file gives the source.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from omegaconf import OmegaConf
from yaml import YAMLError  # type: ignore[import-untyped]  # comes with omegaconf, no stubs

from frbench.errors import InputError
from frbench.matchers import Preprocess

Flip = Literal["none", "sum", "concatenate"]
"""What is done with the mirrored face: nothing, its vector is added, or it is put behind."""

_FOLDER = Path(__file__).parent
_CHOICES = {
    "alignment": ("none", "box", "five_point", "dlib_chip"),
    "colour_order": ("RGB", "BGR"),
    "flip": get_args(Flip),
}


@dataclass(frozen=True, kw_only=True)
class Convention:
    """One file of this folder, or one of the user's with the same keys.

    Attributes:
        name: the file's name without ``.yaml``.
        input_size, alignment, margin, interpolation, colour_order: as in ``Preprocess``.
        mean, std: three numbers each, on the 0-255 scale, in the colour order named.
        flip: what is done with the mirrored face.
        detector: choice of the config group ``detector`` that goes with the alignment.
        source: where this was read.
    """

    name: str
    input_size: int
    alignment: Literal["none", "box", "five_point", "dlib_chip"]
    colour_order: Literal["RGB", "BGR"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    source: str
    margin: int = 0
    interpolation: str = "bilinear"
    flip: Flip = "none"
    detector: str = "mtcnn"

    @property
    def preprocess(self) -> Preprocess:
        """The same as the matchers carry it."""
        return Preprocess(
            input_size=self.input_size,
            alignment=self.alignment,
            margin=self.margin,
            interpolation=self.interpolation,
            colour_order=self.colour_order,
            mean=self.mean,
            std=self.std,
            source=f"convention {self.name}: {self.source}",
        )

    @property
    def in_words(self) -> str:
        """Colours, arithmetic and crop in a few words."""
        return (
            f"{self.colour_order}, {_arithmetic(self.mean, self.std)}, "
            f"{self.alignment} at {self.input_size} x {self.input_size}"
        )


def known() -> tuple[str, ...]:
    """Names of the conventions that are part of frbench."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.yaml")))


def convention(name: str) -> Convention:
    """The convention of that name, or of that YAML file.

    Args:
        name: one of ``known()``, or the path of a file ending in ``.yaml`` with the same keys.

    Raises:
        InputError: no such convention; a key missing, unknown or out of range.
    """
    path = Path(name).expanduser() if name.endswith((".yaml", ".yml")) else None
    if path is None and name not in known():
        raise InputError(
            f"convention={name} is unknown; use one of {', '.join(known())}, or the path of a "
            ".yaml file with the same keys"
        )
    path = path or _FOLDER / f"{name}.yaml"
    try:
        content = OmegaConf.to_container(OmegaConf.create(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"convention {path}: cannot be read ({error.strerror})") from None
    except (YAMLError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"convention {path}: is no YAML ({reason})") from None
    return _checked(content, path)


def _checked(content: Any, path: Path) -> Convention:
    problems = _faults(content)
    if problems:
        raise InputError.listing(f"convention {path} cannot be used:", problems)
    numbers = {key: tuple(float(each) for each in content[key]) for key in ("mean", "std")}
    return Convention(name=path.stem, **{**content, **numbers})


def _faults(content: Any) -> list[str]:
    if not isinstance(content, Mapping):
        return ["holds no keys and values"]
    allowed = {each.name: each for each in fields(Convention) if each.name != "name"}
    needed = ("input_size", "alignment", "colour_order", "mean", "std", "source")
    problems = [
        f"{key} is unknown; it takes {', '.join(allowed)}" for key in {*content} - {*allowed}
    ]
    problems += [f"{key} must be given" for key in needed if key not in content]
    problems += [
        f"{key}={content[key]} is unknown; use one of {', '.join(choices)}"
        for key, choices in _CHOICES.items()
        if key in content and content[key] not in choices
    ]
    for key in ("mean", "std"):
        value = content.get(key, [1.0] * 3)
        if not isinstance(value, list) or len(value) != 3 or not all(map(_is_number, value)):
            problems.append(f"{key}={value} must be three numbers on the 0-255 scale")
        elif key == "std" and not all(each > 0 for each in value):
            problems.append(f"std={value} must be above 0")
    for key, least in (("input_size", 16), ("margin", 0)):
        value = content.get(key, least)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            problems.append(f"{key}={value} must be a whole number, at least {least}")
    return problems


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _arithmetic(mean: tuple[float, ...], std: tuple[float, ...]) -> str:
    if set(mean) == {0.0} and set(std) == {1.0}:
        return "0 to 255 as it is"
    if len({*mean}) == len({*std}) == 1:
        return f"(x - {mean[0]:g}) / {std[0]:g}"
    return f"(x - ({', '.join(f'{m:g}' for m in mean)})) / ({', '.join(f'{s:g}' for s in std)})"

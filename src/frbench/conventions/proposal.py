"""Which convention a file probably wants: a guess to be shown, and confirmed by a person."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from frbench.conventions import convention, known
from frbench.errors import InputError


@dataclass(frozen=True)
class Seen:
    """What a file shows of itself.

    Attributes:
        description: its input in words, as in ``data float32 [1, 3, 112, 112]``.
        sides: the fixed sides of its input, pixels; empty where it takes any.
        normalises: whether the network visibly shifts and scales its input by itself.
        words: names and metadata in it, lower case.
    """

    description: str
    sides: frozenset[int] = frozenset()
    normalises: bool = False
    words: str = ""


def propose(seen: Seen) -> tuple[str, str]:
    """Name of the likeliest convention, and why."""
    fitting = [name for name in known() if seen.sides <= {convention(name).input_size}]
    for name in fitting:
        if re.search(rf"(?<![a-z]){name}", seen.words):
            return name, f"'{name}' stands in the file or its name"
    if fitting == ["facenet"]:
        return "facenet", "it is the only one of that size"
    if seen.normalises:
        return "sface", "the network shifts and scales its input by itself"
    return "insightface", "it is the commonest; nothing in the file speaks for it"


def must_be_confirmed(path: Path, seen: Seen) -> InputError:
    """The sentence that shows the proposal and says what to type."""
    likely, why = propose(seen)
    others = "; ".join(f"{name}: {convention(name).in_words}" for name in known() if name != likely)
    return InputError(
        f"{path} does not say how its pixels must be prepared; its input is {seen.description}, "
        f"and the likeliest convention is {likely} ({convention(likely).in_words}), since {why}; "
        "look it up with whoever trained the network, then confirm with "
        f"matcher.convention={likely}, or name another ({others})"
    )


def check_sides(path: Path, seen: Seen, size: int) -> None:
    """Raise InputError unless every fixed side of the input is ``size`` pixels."""
    for side in sorted(seen.sides - {size}):
        raise InputError(
            f"{path} takes images of {side} pixels ({seen.description}), but the convention "
            f"prepares {size} x {size}; name another convention, or write its keys into a .yaml "
            f"file of your own with input_size: {side} and give that file's path"
        )

"""The words of a plain command: folders, ``key=value`` and ``--key value`` in any order."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from frbench.errors import InputError


@dataclass(frozen=True)
class Words:
    """What was typed: names without a key, and settings by key."""

    names: tuple[str, ...]
    settings: Mapping[str, str]

    def number(self, key: str, default: float, *, below: float = 1.0) -> float:
        """A fraction in (0, ``below``). Raises InputError for anything else."""
        text = self.settings.get(key)
        if text is None:
            return default
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not 0 < number < below:
            raise InputError(f"{key}={text} must be a number between 0 and {below:g}")
        return number

    def choice(self, key: str, allowed: Sequence[str]) -> str:
        """One of ``allowed``, the first by default."""
        value = self.settings.get(key, allowed[0])
        if value not in allowed:
            raise InputError(f"{key}={value} is unknown; take one of {', '.join(allowed)}")
        return value

    def flag(self, key: str) -> bool:
        """Whether ``key=true`` or ``--key`` was given."""
        return self.choice(key, ("false", "true")) == "true"


def words_of(
    arguments: Sequence[str],
    known: Sequence[str],
    flags: Sequence[str] = (),
    *,
    open_prefix: str | None = None,
) -> Words:
    """The arguments apart; a folder whose name holds ``=``, as a sweep's do, is a name.

    Args:
        known: settings that take a value.
        flags: settings that may stand alone, for true.
        open_prefix: how settings begin that are taken whatever follows.

    Raises:
        InputError: a setting that is not known, or one without its value.
    """
    names: list[str] = []
    settings: dict[str, str] = {}
    waiting = iter(arguments)
    for word in waiting:
        key, equals, value = word.lstrip("-").partition("=")
        if not word.startswith("-") and (not equals or Path(word).expanduser().exists()):
            names.append(word)
            continue
        free = open_prefix is not None and key.startswith(open_prefix)
        key = key if free else key.replace("-", "_")
        if not free and key not in (*known, *flags):
            raise InputError(_unknown(word, key, (*known, *flags)))
        if not equals:
            value = "true" if key in flags else next(waiting, "")
            if not value:
                raise InputError(f"--{key} is followed by a value, e.g. --{key} VALUE")
        settings[key] = value
    return Words(tuple(names), settings)


def _unknown(word: str, key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known)}"
    return f"{word} is neither a folder nor a setting{hint}"

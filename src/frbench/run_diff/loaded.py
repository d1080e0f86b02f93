"""Runs read back for comparison: a letter, a record, and the counted comparisons of one arm."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from frbench.counted import Counted
from frbench.errors import InputError
from frbench.frame import Run, open_run
from frbench.values import ScoreTally, Threshold

Record = Mapping[str, Any]


@dataclass(frozen=True)
class LoadedRun:
    """One arm of one run.

    Attributes:
        letter: A, B, … in the order they were named; what tables call it.
        arm: the arm that is compared, "" where the run has one.
    """

    letter: str
    run: Run
    arm: str = ""

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.run.folder

    @property
    def record(self) -> Record:
        """Content of ``run.json``."""
        return self.run.record

    @property
    def name(self) -> str:
        """The run's id, and the arm where it has several."""
        words = str(self.record.get("run_id") or self.folder.name)
        return f"{words} ({self.arm})" if self.arm else words

    @property
    def matcher(self) -> Record:
        """The arm's matcher in the record."""
        found = [one for one in self.record.get("matchers", ()) if one["arm"] == self.arm]
        return found[0] if found else {}

    @cached_property
    def thresholds(self) -> dict[str, Threshold]:
        """Operating point -> threshold of this arm."""
        known = {each.name for each in fields(Threshold)}
        return {
            row["label"]: Threshold(**{key: row[key] for key in row if key in known})
            for row in self.record.get("thresholds", ())
            if row["arm"] == self.arm
        }

    @cached_property
    def tally(self) -> ScoreTally:
        """The counted comparisons."""
        return self.run.tally(self.arm)

    @cached_property
    def counted(self) -> Counted:
        """The same, ready to be asked for errors."""
        return Counted(self.tally)

    def counted_as(self, groups: Sequence[str]) -> Counted:
        """The same with its groups in the order of ``groups``, which are the same ones."""
        if tuple(groups) == self.tally.groups:
            return self.counted
        code = np.array([list(groups).index(name) for name in self.tally.groups], dtype=np.int16)
        return Counted(replace(self.tally, groups=tuple(groups), group=code[self.tally.group]))

    @cached_property
    def rates(self) -> pd.DataFrame:
        """The arm's RateTable rows."""
        return self.run.rates[self.run.rates["arm"] == self.arm]

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """The arm's GapTable rows."""
        return self.run.gaps[self.run.gaps["arm"] == self.arm]


def run_folders(names: Sequence[str]) -> list[Path]:
    """Run folders in the order named; a folder that holds runs stands for them all."""
    found: list[Path] = []
    for name in names:
        folder = Path(name).expanduser()
        inside = sorted(file.parent for file in folder.glob("*/run.json"))
        # the page over a sweep stands among its runs and is none
        whole = [one for one in inside if not one.name.startswith(".") and one.name != "sweep"]
        found += [folder] if (folder / "run.json").is_file() or not whole else whole
    return found


def load_runs(folders: Sequence[Path], arm: str | None = None) -> list[LoadedRun]:
    """The runs with their letters; ``arm`` chooses in runs of two, the later one by default.

    Raises:
        InputError: no run in a folder, or its record cannot be read.
    """
    loaded = []
    for number, folder in enumerate(folders):
        run = open_run(folder)
        try:
            arms = [str(one["arm"]) for one in run.record.get("matchers", ())]
        except (OSError, ValueError, AttributeError, KeyError, TypeError) as cause:
            raise InputError(f"{folder}/run.json: cannot be read as a run ({cause}).") from cause
        if arm is not None and len(arms) > 1 and arm not in arms:
            raise InputError(f"{folder}: the run has no arm {arm}; it has {', '.join(arms)}")
        chosen = arm if arm in arms else arms[-1] if arms else ""
        loaded.append(LoadedRun(letter_of(number), run, chosen))
    return loaded


def letter_of(number: int) -> str:
    """A … Z, then A2 … Z2."""
    turn, place = divmod(number, 26)
    return string.ascii_uppercase[place] + (str(turn + 1) if turn else "")

"""Sets of number images for black boxes, and their comparisons by a double loop."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console

from frbench.black_box import Surroundings, count_black_box
from frbench.comparison import ComparisonSpec
from frbench.matchers.command import CommandMatcher
from frbench.progress import Stages
from frbench.values import FaceSet

VENDOR = Path(__file__).parent / "faulty_vendor.py"


def number_set(folder: Path, persons: int = 9, images: int = 3, texts=()) -> FaceSet:
    """Persons with images each near a place of their own; further images of the given texts."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    rows = []
    for person in range(persons):
        place = rng.integers(0, 40, 2)
        for image in range(images):
            a, b = place + rng.integers(0, 6, 2)
            rows.append((person, f"{person}_{image}", f"{a} {b}"))
    rows += [(persons + n, f"extra_{n}", text) for n, text in enumerate(texts)]
    for _, name, text in rows:
        (folder / f"{name}.txt").write_text(text)
    table = pd.DataFrame(
        {
            "image_id": [name for _, name, _ in rows],
            "subject_id": [f"person {person}" for person, _, _ in rows],
            "path": [f"{name}.txt" for _, name, _ in rows],
            "label_kind": ["even" if person % 2 == 0 else "odd" for person, _, _ in rows],
        }
    )
    table["group"] = pd.Categorical(table["label_kind"])
    return FaceSet("numbers", "1", folder, table)


def vendor(mode: str, state: Path, **settings) -> CommandMatcher:
    """The faulty vendor; its log of calls lies in ``state``."""
    state.mkdir(parents=True, exist_ok=True)
    settings = {"workers": 2, "enrol_batch": 8, "compare_batch": 100, **settings}
    words = ["-I", "-S", str(VENDOR), mode, str(state)]
    return CommandMatcher(program=sys.executable, arguments=words, **settings)


def calls(state: Path) -> list[str]:
    """What the vendor was asked, in order."""
    file = state / "calls"
    return file.read_text().splitlines() if file.exists() else []


def counted(faces, matcher, *, cache=None, spec=None, seed=0):
    """Tally and record of a run with images that are not looked at beforehand."""
    stages = Stages(Console(quiet=True))
    around = Surroundings(cache, "fail_to_enrol", stages)
    rng = np.random.default_rng(seed)
    return count_black_box(faces, matcher, spec or ComparisonSpec(), around, rng)


def by_hand(faces: FaceSet, *, without=(), ordered=False):
    """{(first, second): score} of mated and of non-mated comparisons."""
    numbers = {}
    for row, path in enumerate(faces.faces["path"]):
        text = (faces.root / path).read_text()
        if row not in without and text != "no face":
            numbers[row] = [int(cell) for cell in text.split()]
    person = faces.faces["subject_id"].to_numpy()
    found = {True: {}, False: {}}
    for one, other in itertools.permutations(numbers, 2):
        if ordered or one < other:
            (a, b), (c, d) = numbers[one], numbers[other]
            found[bool(person[one] == person[other])][one, other] = -float(abs(a - c) + abs(b - d))
    return found[True], found[False]


def as_dict(pairs):
    """Scored pairs as {(first, second): score}; each pair once."""
    found = {
        (int(a), int(b)): float(score)
        for a, b, score in zip(pairs.first, pairs.second, pairs.score, strict=True)
    }
    assert len(found) == len(pairs)
    return found

"""Who is in the training set and in the benchmark set: by id, by file, by likeness, by template.

A matcher has seen the people that it was trained on; a benchmark that holds them flatters it,
most of all for the groups that were trained on most.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from frbench.auditing.manifest import OVERLAP_COLUMNS, TrainingSet
from frbench.comparison import ComparisonSpec, compare, compare_sets
from frbench.contained_paths import path_faults
from frbench.formatting import integer
from frbench.image_hashes import ImageHash, hash_images
from frbench.near_duplicates import near_pairs
from frbench.progress import Report
from frbench.values import EmbeddingSet, FaceSet

Embed = Callable[[FaceSet], EmbeddingSet]


def overlap(
    training: TrainingSet,
    root: Path,
    benchmark: FaceSet,
    *,
    embed: Embed | None,
    distance: int,
    cache: Path | None,
    progress: Report | None = None,
) -> pd.DataFrame:
    """The overlap in every way that can be gone.

    Args:
        training: the set.
        root: folder that its paths are relative to.
        benchmark: the set that the matcher is tested on.
        embed: makes templates of a set; None leaves out that way.
        distance: bits in which the perceptual hashes of two likenesses may differ.
        cache: where hashes are kept.
    """
    rows = [_by_person(training, benchmark)]
    present, absent = _present(training, root)
    if present is None:
        why = f"the training images are not under {root}"
        rows += [_unchecked("identical file", why), _unchecked("near-identical image", why)]
    else:
        paths = [root / path for path in present["path"]]
        own = [benchmark.root / path for path in benchmark.faces["path"]]
        hashes = hash_images([*paths, *own], cache=cache, progress=progress)
        rows += _by_hash(hashes[: len(paths)], hashes[len(paths) :], distance)
    if embed is None:
        rows.append(_unchecked("face template", "no matcher was named (matcher=…)"))
    elif present is None:
        rows.append(_unchecked("face template", f"the training images are not under {root}"))
    else:
        rows.append(_by_template(training, present, root, benchmark, embed))
    for row in rows[1:]:
        if row["checked"]:
            row["note"] = f"{row['note']} {absent}".strip()
    return pd.DataFrame(rows, columns=list(OVERLAP_COLUMNS))


def _row(
    way: str, unit: str, shared: int, whole: int, by_chance: float = 0.0, note: str = ""
) -> dict[str, Any]:
    return {
        "way": way,
        "unit": unit,
        "shared": shared,
        "of": whole,
        "by_chance": by_chance,
        "checked": True,
        "note": note,
    }


def _unchecked(way: str, why: str) -> dict[str, Any]:
    return {
        "way": way,
        "unit": "",
        "shared": 0,
        "of": 0,
        "by_chance": 0.0,
        "checked": False,
        "note": why,
    }


def _by_person(training: TrainingSet, benchmark: FaceSet) -> dict[str, Any]:
    people = benchmark.faces["subject_id"].drop_duplicates()
    shared = int(people.isin(training.subjects).sum())
    note = "" if shared else "Ids may be given anew in each set; look by template as well."
    return _row("person id", "persons", shared, len(people), note=note)


def _present(training: TrainingSet, root: Path) -> tuple[pd.DataFrame | None, str]:
    """The rows whose image is there, None where not one of the first hundred is; and how many
    others there are. A path that leads out of the root is not followed."""
    whole = training.table.assign(person=training.person)
    table = whole[whole["path"].notna() & (whole["path"] != "")]
    # unlike Path.is_file, which raises for a name that is too long
    if not any(os.path.isfile(root / path) for path in table["path"].head(100)):
        return None, ""
    table = table[[os.path.isfile(root / path) for path in table["path"]]]
    table = table[[not fault for fault in path_faults(root, table["path"])]]
    absent = len(whole) - len(table)
    said = (
        f"{integer(absent)} of {integer(len(whole))} training images are not under the root and "
        "were not looked at."
    )
    return table.reset_index(drop=True), said if absent else ""


def _by_hash(
    training: Sequence[ImageHash], benchmark: Sequence[ImageHash], distance: int
) -> list[dict[str, Any]]:
    known = {each.digest for each in training if each.digest}
    same = np.array([each.digest in known for each in benchmark])
    exact = _row("identical file", "images", int(same.sum()), len(benchmark))
    both = [*training, *benchmark]
    usable = np.array([at for at, each in enumerate(both) if each.coarse is not None])
    codes = np.array([both[at].coarse for at in usable], dtype=np.uint64)
    pairs, more = near_pairs(codes, distance)
    ends = usable[pairs] if len(pairs) else np.empty((0, 2), np.int64)
    across = ends[(ends[:, 0] < len(training)) & (ends[:, 1] >= len(training))]
    alike = len(np.unique(across[:, 1]))
    note = f"Perceptual hashes differ in at most {distance} of 64 bits; look at the pictures."
    note += " There are more such pairs than were listed." if more else ""
    near = _row("near-identical image", "images", alike, len(benchmark), note=note)
    return [exact, near]


def _by_template(
    training: TrainingSet, present: pd.DataFrame, root: Path, benchmark: FaceSet, embed: Embed
) -> dict[str, Any]:
    """Persons of the benchmark with a training image that scores above all its own strangers.

    The threshold is the highest non-mated score within the benchmark. If the two sets shared
    nobody, each of the C comparisons across would exceed it with a chance of about 1 / (M + 1),
    M being the non-mated comparisons within (exchangeable scores, the maximum of M).
    """
    ours = _everyone(benchmark.faces[["image_id", "subject_id", "path"]], "benchmark")
    theirs = _everyone(
        pd.DataFrame(
            {
                "image_id": present["path"],
                "subject_id": training.subjects[present["person"].to_numpy()],
                "path": present["path"],
            }
        ),
        "training",
    )
    inside = embed(replace(benchmark, faces=ours))
    outside = embed(
        FaceSet(
            name=training.name, version="", root=root, faces=theirs, synthetic=training.synthetic
        )
    )
    spec = ComparisonSpec(histogram_bins=0, keep_fmr=1e-6, keep_all=1)
    within = compare(inside, ours, spec)
    strangers = within.tail.score
    if not len(strangers):
        return _unchecked("face template", "the benchmark has no two persons to set a threshold by")
    threshold = float(strangers.max())
    persons = np.bincount(within.subject[within.enrolled]).astype(np.int64)
    non_mated = int((persons.sum() ** 2 - (persons**2).sum()) // 2)
    across = compare_sets(inside, ours, outside, theirs, spec)
    hits = across.tail.first[across.tail.score > threshold]
    shared = len(np.unique(across.subject[hits]))
    comparisons = int(inside.enrolled.sum()) * int(outside.enrolled.sum())
    rate = comparisons / (non_mated + 1)
    from scipy import stats

    note = (
        "A score above every score of two different benchmark persons counts as the same person; "
        f"by chance at most {stats.poisson.ppf(0.95, rate):.0f} would."
    )
    whole = ours["subject_id"].nunique()
    return _row(
        "face template", "persons", shared, whole, float(stats.poisson.ppf(0.95, rate)), note
    )


def _everyone(faces: pd.DataFrame, side: str) -> pd.DataFrame:
    """The table with ids of its own and one group, so that all across are non-mated."""
    return faces.assign(
        image_id=side + ":" + faces["image_id"].astype("str"),
        subject_id=side + ":" + faces["subject_id"].astype("str"),
        group=pd.Categorical(["everyone"] * len(faces), categories=["everyone"]),
    ).reset_index(drop=True)

"""Stage 4: templates -> ScoreTally. Every comparison is counted, no score matrix is ever written.

How the counts stay exact while most scores are never computed in full is proved in
docs/methodology/exact-counting.md; the loops are in ``counting/``.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from frbench.counting.engine import Progress, Settings, count_all
from frbench.counting.images import Images, code_images, group_column
from frbench.errors import InputError
from frbench.values import EmbeddingSet, ScoreTally


@dataclass(frozen=True)
class ComparisonSpec:
    """How images are compared; config group ``comparison``.

    Attributes:
        same: impostor policy: label columns (``sex`` or ``label_sex``) whose values must agree
            for a non-mated comparison; ``*`` stands for every label column; none for all pairs.
            A missing label is a value of its own.
        keep_fmr: the tail keeps at least this fraction of the completed non-mated comparisons,
            the highest ones: the largest target FMR that a threshold can be chosen for.
        histogram_bins: bins of the score histogram per pair of groups, even; 0 for none.
        tail_limit: most comparisons that the tail may keep; beyond it the floor rises.
        keep_all: with at most this many non-mated comparisons all of them are kept.
        tile: rows and columns of a tile; bears on speed and memory only.
        workers: threads; None for one a processor. Bears on speed only.
        devices: torch devices that share the tiles, e.g. ``cuda:0`` and ``cuda:1``; none for the
            device that the run is given. Bears on speed only.
    """

    same: tuple[str, ...] = ()
    keep_fmr: float = 1e-2
    histogram_bins: int = 4096
    tail_limit: int = 20_000_000
    keep_all: int = 2_000_000
    tile: int = 1024
    workers: int | None = None
    devices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "same", tuple(self.same))
        object.__setattr__(self, "devices", tuple(self.devices))
        if not 0 < self.keep_fmr <= 1:
            raise InputError(
                f"comparison.keep_fmr={self.keep_fmr} must lie in (0, 1]; 0.01 keeps the highest "
                "hundredth of the non-mated scores"
            )
        if self.histogram_bins < 0 or self.histogram_bins % 2 or self.histogram_bins > 65536:
            raise InputError(
                f"comparison.histogram_bins={self.histogram_bins} must be an even number up to "
                "65536, or 0 for no histogram"
            )
        for name in ("tail_limit", "keep_all", "tile"):
            if getattr(self, name) < 1:
                raise InputError(f"comparison.{name}={getattr(self, name)} must be at least 1")
        if self.workers is not None and self.workers < 1:
            raise InputError(f"comparison.workers={self.workers} must be at least 1, or null")

    @property
    def policy(self) -> str:
        """Name of the impostor policy: ``all``, ``same_sex``, ``same_all`` …"""
        names = [column.removeprefix("label_") for column in self.same]
        if not names:
            return "all"
        return "same_all" if "*" in names else "same_" + "_and_".join(names)


def compare(
    vectors: EmbeddingSet,
    faces: pd.DataFrame,
    spec: ComparisonSpec,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> ScoreTally:
    """Compare every image with every other one of the set, once.

    Args:
        vectors: templates in the order of ``faces``; images that failed to enrol are left out.
        faces: a row per image, with ``subject_id``, ``group`` (category) and label columns.
        spec: impostor policy and what to keep.
        device: torch device for the products, where ``spec`` names none; ``cpu`` for compiled
            loops. The result is the same on all of them.
        progress: told (comparisons done, comparisons in all) now and then.
        checkpoint: folder for the state of an unfinished run; the same call resumes from it.

    Raises:
        InputError: templates and faces do not belong together, a label column is missing, or
            there is no such device.
    """
    images = code_images(vectors, faces, spec.same)
    groups = tuple(str(name) for name in group_column(faces).cat.categories)
    return _tally(vectors, images, groups, spec, device, progress, checkpoint)


def compare_sets(
    probes: EmbeddingSet,
    probe_faces: pd.DataFrame,
    references: EmbeddingSet,
    reference_faces: pd.DataFrame,
    spec: ComparisonSpec,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> ScoreTally:
    """Compare every probe with every reference; rows of the tally are the probes, then the others.

    Cells are ordered: ``first`` and the first group belong to the probe.

    Raises:
        InputError: as ``compare``; also an image on both sides, or different group levels.
    """
    shared = np.intersect1d(probes.image_id, references.image_id)
    if len(shared):
        raise InputError(
            f"image {shared[0]!r} is a probe and a reference; give the sets separate images, or "
            "compare them as one set"
        )
    if probes.vectors.shape[1] != references.vectors.shape[1]:
        raise InputError(
            f"probes have {probes.vectors.shape[1]} dimensions and references "
            f"{references.vectors.shape[1]}; embed both with one matcher"
        )
    joined = EmbeddingSet(
        np.concatenate([probes.vectors, references.vectors]),
        np.concatenate([probes.enrolled, references.enrolled]),
        np.concatenate([probes.failure, references.failure]),
        np.concatenate([probes.image_id, references.image_id]),
        probes.matcher,
        f"{probes.fingerprint}+{references.fingerprint}",
    )
    levels = [list(group_column(table).cat.categories) for table in (probe_faces, reference_faces)]
    if levels[0] != levels[1]:
        raise InputError(
            f"the groups of the probes {levels[0]} differ from those of the references "
            f"{levels[1]}; assign both from one list of groups"
        )
    faces = pd.concat([probe_faces, reference_faces], ignore_index=True)
    faces["group"] = pd.Categorical(faces["group"], categories=levels[0])
    images = code_images(joined, faces, spec.same, len(probe_faces))
    return _tally(joined, images, tuple(map(str, levels[0])), spec, device, progress, checkpoint)


def _tally(
    embedded: EmbeddingSet,
    images: Images,
    groups: tuple[str, ...],
    spec: ComparisonSpec,
    device: str,
    progress: Progress | None,
    checkpoint: Path | None,
) -> ScoreTally:
    started = time.perf_counter()
    vectors = np.ascontiguousarray(embedded.vectors, np.float32)
    counted = count_all(
        vectors,
        images,
        len(groups),
        Settings(
            keep_fmr=spec.keep_fmr,
            keep_all=spec.keep_all,
            limit=spec.tail_limit,
            bins=spec.histogram_bins,
            tile=spec.tile,
            workers=spec.workers or len(os.sched_getaffinity(0)),
            devices=spec.devices or (() if device == "cpu" else (device,)),
        ),
        progress=progress,
        checkpoint=checkpoint,
    )
    return ScoreTally(
        groups=groups,
        subject=images.subject,
        group=images.group,
        stratum=images.stratum,
        enrolled=images.enrolled,
        mated=counted.mated,
        tail=counted.tail,
        floor=counted.floor,
        policy=spec.policy,
        ordered=images.references_from is not None,
        references_from=images.references_from,
        histogram=counted.histogram,
        work={**counted.work, "seconds": time.perf_counter() - started},
    )

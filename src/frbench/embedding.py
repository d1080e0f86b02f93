"""Faces to templates: decode, detect, align, embed; every image ends as a vector or a reason.

Images are prepared in threads or processes while the matcher computes (``prefetching``). Nothing
of the result depends on their number, or on which images were in the cache: a matcher always sees
batches of one fixed size, so that an image's vector is the same in a first run, a resumed one and
a repeated one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from frbench.choosing import check_choice
from frbench.detectors import Detector
from frbench.digests import digest_of
from frbench.errors import InputError
from frbench.imaging import decoder_identity
from frbench.matchers import Matcher, Preprocess, TemplateStore
from frbench.prefetching import prepared_files
from frbench.preparing import Crop, Preparation, Prepared, Source, check_images
from frbench.template_cache import Template, TemplateCache
from frbench.values import EmbeddingSet, FaceSet, Float32s

__all__ = ["STAGE_VERSION", "Unreadable", "check_images", "embed", "template_of"]

STAGE_VERSION = 1
"""Raised whenever the code between image bytes and vector changes what comes out."""

_ALIGNED = ("five_point", "dlib_chip")
"""Alignments whose crops are square and turned upright."""

Unreadable = Literal["error", "fail_to_enrol"]
Progress = Callable[[int, int], None]


def embed(
    faces: FaceSet,
    detector: Detector,
    matcher: Matcher | TemplateStore,
    *,
    choice: str = "largest",
    batch: int = 32,
    cache: Path | None = None,
    unreadable: Unreadable = "error",
    workers: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> EmbeddingSet:
    """One template per image of the set, in its order.

    Where no image at all can be enrolled the vectors have length 0.

    Args:
        faces: the set; image files are opened unless the matcher has its vectors already.
        detector: finds the faces.
        matcher: makes the vectors, or has them (``lookup``).
        choice: which face counts where there are several (``choosing.choose_face``).
        batch: images a forward pass takes at once. Part of the fingerprint unless the matcher
            says ``batch_invariant``, since networks round differently at another size.
        cache: folder to keep templates in; None keeps none.
        unreadable: ``error`` lists all files that are no images once all others are embedded;
            ``fail_to_enrol`` counts them as failures.
        workers: processes that prepare images; 0 stays in threads, None decides by the work.
        device: where the matcher computes; for ``cuda`` batches lie in pinned memory, from which
            they are copied while the GPU computes.
        progress: called with (images done, images in all).

    Raises:
        InputError: unreadable files, a worker that was killed, one file under two ids, an
            unknown choice, an unusable cache folder, missing landmarks or weights.
    """
    ids = faces.faces["image_id"].to_numpy(dtype=np.str_)
    if hasattr(matcher, "lookup"):
        return matcher.lookup(ids)
    if batch < 1:
        raise InputError(f"embedding.batch={batch} is too small; use 1 or more")
    if unreadable not in get_args(Unreadable):
        known = ", ".join(get_args(Unreadable))
        raise InputError(f"embedding.unreadable={unreadable} is unknown; use one of {known}")
    _refuse_doubled(faces)
    sources = [
        Source(faces.root / path, (image, path))
        for image, path in zip(faces.faces["image_id"], faces.faces["path"], strict=True)
    ]
    if hasattr(detector, "expect"):
        detector.expect([source.names for source in sources])
    job = _Job(detector, matcher, choice, batch, cache, pinned=device.startswith("cuda"))
    prepared, templates = job.run(sources, workers, progress or _silent)
    if unreadable == "error":
        _refuse_unreadable(prepared, faces, kept=cache is not None)
    return _collected(ids, prepared, templates, job)


class _Job:
    """One pass over some files with one matcher."""

    def __init__(
        self,
        detector: Detector,
        matcher: Matcher,
        choice: str,
        batch: int,
        cache: Path | None,
        *,
        pinned: bool,
    ) -> None:
        self.matcher = matcher
        self._batch = batch
        self._pinned = pinned
        self._alone = bool(getattr(matcher, "batch_invariant", False))
        preprocess = _effective(matcher.preprocess, detector)
        self.settings = {
            "stage": STAGE_VERSION,
            "matcher": dict(matcher.identity()),
            "preprocess": preprocess.identity(),
            "detector": dict(detector.identity()),
            "choice": check_choice(choice),
            "batch": None if self._alone else batch,
            "precision": "float32",
            "decoder": decoder_identity(),
        }
        aligned = detector.name == "precropped" and matcher.preprocess.alignment in _ALIGNED
        if aligned:
            self.settings["crops"] = "square"
        self._cache = TemplateCache(cache, self.settings) if cache is not None else None
        known: Container[str] = self._cache if self._cache is not None else ()
        self._preparation = Preparation(
            detector,
            check_choice(choice),
            preprocess,
            known,
            aligned_already=aligned,
        )

    def run(
        self, sources: Sequence[Source], workers: int | None, progress: Progress
    ) -> tuple[list[Prepared], dict[str, Template]]:
        """What became of each file (without its crop), and the template of each content."""
        prepared: list[Prepared] = []
        templates: dict[str, Template] = {}
        waiting: dict[str, Crop] = {}
        files = prepared_files(sources, self._preparation, ahead=2 * self._batch, workers=workers)
        try:
            with closing(files) as items:
                for item in items:
                    prepared.append(replace(item, crop=None))
                    self._sort_in(item, templates, waiting)
                    if len(waiting) == self._batch:
                        self._embed(waiting, templates)
                    progress(len(prepared) - len(waiting), len(sources))
                if waiting:
                    self._embed(waiting, templates)
                    progress(len(sources), len(sources))
        finally:
            if self._cache is not None:
                self._cache.flush()
        return prepared, templates

    def _sort_in(
        self, item: Prepared, templates: dict[str, Template], waiting: dict[str, Crop]
    ) -> None:
        """A content that occurs on several files is embedded once."""
        if item.unreadable or item.digest in templates:
            return
        if item.failure:
            self._keep({item.digest: Template(None, item.failure)}, templates)
        elif item.crop is not None:
            waiting[item.digest] = item.crop
        elif self._cache is not None:
            templates[item.digest] = self._cache[item.digest]

    def _embed(self, waiting: dict[str, Crop], templates: dict[str, Template]) -> None:
        """Empty the waiting room through the matcher, filled up to the fixed batch."""
        crops = self._stacked(list(waiting.values()))
        vectors = np.asarray(self.matcher.embed(crops))
        if vectors.ndim != 2 or len(vectors) != len(crops):
            raise InputError(
                f"matcher {self.matcher.name} returned an array of shape {vectors.shape} for "
                f"{len(crops)} faces; it must return one row a face"
            )
        made = [template_of(vector) for vector in vectors[: len(waiting)]]
        self._keep(dict(zip(waiting, made, strict=True)), templates)
        waiting.clear()

    def _stacked(self, crops: list[Crop]) -> npt.NDArray[np.uint8]:
        missing = 0 if self._alone else self._batch - len(crops)
        rows = [*crops, *[crops[-1]] * missing]
        if not self._pinned:
            return np.stack(rows)
        import torch

        shape = (len(rows), *crops[0].shape)
        pinned = torch.empty(shape, dtype=torch.uint8, pin_memory=True).numpy()
        return np.stack(rows, out=pinned)

    def _keep(self, made: dict[str, Template], templates: dict[str, Template]) -> None:
        templates |= made
        if self._cache is not None:
            for digest, template in made.items():
                self._cache.add(digest, template)


def template_of(vector: npt.NDArray[np.floating[Any]]) -> Template:
    """The vector at unit length, or a failure where it has no direction."""
    wide = vector.astype(np.float64)
    if not np.isfinite(wide).all():
        return Template(None, "the matcher returned a vector that is not finite")
    length = float(np.linalg.norm(wide))
    if length == 0:
        return Template(None, "the matcher returned a vector of length zero")
    return Template((wide / length).astype(np.float32))


def _effective(preprocess: Preprocess, detector: Detector) -> Preprocess:
    """A precropped image was aligned by whoever cut it out; only its size is still ours."""
    if detector.name == "precropped":
        return replace(preprocess, alignment="none")
    return preprocess


def _silent(done: int, total: int) -> None:
    """Progress that nobody asked for."""


def _refuse_doubled(faces: FaceSet) -> None:
    """One file under two ids would be compared with itself, as mated or as non-mated."""
    paths = faces.faces["path"].map(os.path.normpath)
    doubled = paths.duplicated(keep=False).to_numpy()
    if doubled.any():
        rows = faces.faces[doubled]
        raise InputError.listing(
            f"{faces.name}: files that are listed more than once; keep one row of each:",
            [
                f"{path} as {image} of {person}"
                for path, image, person in zip(
                    rows["path"], rows["image_id"], rows["subject_id"], strict=True
                )
            ],
        )


def _refuse_unreadable(prepared: list[Prepared], faces: FaceSet, *, kept: bool) -> None:
    problems = [
        f"{path}: {item.unreadable}"
        for path, item in zip(faces.faces["path"], prepared, strict=True)
        if item.unreadable
    ]
    if problems:
        rest = "; the others are embedded and cached" if kept else ""
        raise InputError.listing(
            f"{len(problems)} of {len(prepared)} images below {faces.root} cannot be read{rest}; "
            "mend or remove them, or set embedding.unreadable=fail_to_enrol to count them as "
            "failures to enrol:",
            problems,
        )


def _collected(
    ids: npt.NDArray[np.str_], prepared: list[Prepared], templates: dict[str, Template], job: _Job
) -> EmbeddingSet:
    outcomes = [
        Template(None, f"unreadable: {item.unreadable}")
        if item.unreadable
        else templates[item.digest]
        for item in prepared
    ]
    found = [outcome.vector for outcome in outcomes if outcome.vector is not None]
    vectors: Float32s = np.zeros((len(ids), len(found[0]) if found else 0), dtype=np.float32)
    for row, outcome in enumerate(outcomes):
        if outcome.vector is not None:
            vectors[row] = outcome.vector
    images = [item.digest or item.unreadable for item in prepared]
    return EmbeddingSet(
        vectors=vectors,
        enrolled=np.array([outcome.vector is not None for outcome in outcomes], dtype=np.bool_),
        failure=np.array([outcome.failure for outcome in outcomes], dtype=np.str_),
        image_id=ids,
        matcher=job.matcher.name,
        fingerprint=digest_of({"settings": job.settings, "ids": ids.tolist(), "images": images}),
        digests=np.array([item.digest for item in prepared], dtype=np.str_),
    )

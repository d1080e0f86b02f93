"""Every image of a set through a vendor's enrolment: a template or a reason, resumable."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from frbench.digests import digest_bytes, digest_of
from frbench.errors import InputError
from frbench.opaque.persisting import Persistence, in_order
from frbench.opaque.template_store import TemplateStore
from frbench.opaque.vendor import Enrolled, Vendor
from frbench.progress import Report
from frbench.values import EmbeddingSet, FaceSet

Item = tuple[str, Path]
"""SHA-256 of an image's bytes, and the file."""


@dataclass(frozen=True)
class Templates:
    """A vendor's templates of a set.

    Attributes:
        blobs: a template per image, None for a failure to enrol.
        images: the same as far as other stages look: who is enrolled, why not, the fingerprint.
            Its vectors have length 0.
    """

    blobs: Sequence[bytes | None]
    images: EmbeddingSet


def enrol_all(
    vendor: Vendor,
    faces: FaceSet,
    persistence: Persistence,
    *,
    store: TemplateStore,
    unreadable: str = "error",
    progress: Report,
) -> Templates:
    """One outcome per image of the set, in its order.

    Images with the same bytes are enrolled once. An image whose own call keeps failing is a
    failure to enrol with the reason.

    Raises InputError for unreadable files (unless ``unreadable`` is ``fail_to_enrol``), a vendor
    that breaks the contract, or one that seems dead.
    """
    digests = [_digest(faces.root / path, unreadable) for path in faces.faces["path"]]
    files = [faces.root / path for path in faces.faces["path"]]
    todo: dict[str, Path] = {}
    for digest, file in zip(digests, files, strict=True):
        if digest and store.get(digest) is None:
            todo.setdefault(digest, file)
    items, step = list(todo.items()), vendor.effort.enrol_batch
    batches = [items[start : start + step] for start in range(0, len(items), step)]

    def enrol(batch: Sequence[Item]) -> list[Enrolled]:
        return persistence.ask(batch, lambda part: vendor.enrol([f for _, f in part]), _lost)

    done = len(digests) - len(items)
    results = in_order(batches, enrol, workers=vendor.effort.workers, stop=vendor.stop)
    for batch, outcomes in zip(batches, results, strict=True):
        store.keep({digest: each for (digest, _), each in zip(batch, outcomes, strict=True)})
        done += len(batch)
        progress(done, len(digests))
    found = [_unreadable() if not each else store.get(each) for each in digests]
    return _collected(vendor, faces, digests, [each for each in found if each is not None])


def _lost(reason: str) -> Enrolled:
    return Enrolled(None, f"no answer: {reason}", settled=False)


def _unreadable() -> Enrolled:
    return Enrolled(None, "the file cannot be read")


def _digest(path: Path, unreadable: str) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as cause:
        if unreadable == "fail_to_enrol":
            return ""
        raise InputError(
            f"{path} cannot be read ({cause.strerror}); mend it, or set "
            "embedding.unreadable=fail_to_enrol to count it as a failure to enrol"
        ) from None


def _collected(
    vendor: Vendor, faces: FaceSet, digests: Sequence[str], outcomes: Sequence[Enrolled]
) -> Templates:
    blobs = [each.template for each in outcomes]
    ids = faces.faces["image_id"].to_numpy(dtype=np.str_)
    made = [digest_bytes(blob) if blob is not None else each.failure
            for blob, each in zip(blobs, outcomes, strict=True)]  # fmt: skip
    fingerprint = digest_of(
        {
            "vendor": dict(vendor.identity()),
            "ids": ids.tolist(),
            "images": list(digests),
            "templates": made,
        }
    )
    images = EmbeddingSet(
        vectors=np.zeros((len(ids), 0), dtype=np.float32),
        enrolled=np.array([blob is not None for blob in blobs], dtype=np.bool_),
        failure=np.array([each.failure for each in outcomes], dtype=np.str_),
        image_id=ids,
        matcher=vendor.name,
        fingerprint=fingerprint,
    )
    return Templates(blobs, images)

"""``matcher=embeddings``: vectors that somebody computed already, read from a file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from frbench.digests import digest_bytes, digest_file, digest_of
from frbench.errors import InputError
from frbench.values import Bools, EmbeddingSet, Float64s
from frbench.vector_files import arrays_of

_NOT_FINITE = "the stored vector is not finite"
_NO_LENGTH = "the stored vector has length zero"
_DECLARED = "declared as not enrolled by the file"


class StoredEmbeddings:
    """Templates from a file; no image is opened.

    Arrays: ``vectors`` float [N, D]; ``image_id`` [N]; optional ``enrolled`` bool [N], in any of
    the formats of ``vector_files``. A row that
    is not finite or has length zero is a failure to enrol; where ``enrolled`` is given and says
    otherwise, the file contradicts itself and is refused. Ids that the set does not have are
    ignored.
    """

    default_detector = "precropped"

    def __init__(self, *, path: str, ids: str | None = None, name: str | None = None) -> None:
        """Remember the file; nothing is read before ``lookup``.

        Args:
            path: the .npz, .npy, Parquet or safetensors file.
            ids: index of an .npy or safetensors file: one id a row, CSV, Parquet or text.
            name: name of the matcher in results; default: the file's name.
        """
        self._path = Path(path).expanduser()
        self._index = Path(ids).expanduser() if ids is not None else None
        self.name = name or self._path.stem

    def lookup(self, image_ids: npt.NDArray[np.str_]) -> EmbeddingSet:
        """The stored vectors at unit length, in the order asked for.

        Raises:
            InputError: an unreadable or contradictory file, or absent images, all listed.
        """
        data = self._read()
        arrays = arrays_of(data, self._index, self._refuse)
        stored = self._ids(arrays)
        vectors = self._vectors(arrays, len(stored))
        failure = self._failures(vectors, arrays.get("enrolled"), stored)
        rows = self._rows(stored, image_ids)
        enrolled = failure[rows] == ""
        asked = image_ids.astype(np.str_)
        contents = [digest_bytes(data)]
        contents += [digest_file(self._index)] if self._index is not None else []
        return EmbeddingSet(
            vectors=_unit(vectors[rows], enrolled),
            enrolled=enrolled,
            failure=failure[rows],
            image_id=asked,
            matcher=self.name,
            fingerprint=digest_of({"stored": "+".join(contents), "ids": asked.tolist()}),
        )

    def _refuse(self, fault: str) -> InputError:
        return InputError(f"matcher.path={self._path}: {fault}")

    def _read(self) -> bytes:
        if self._path.is_dir():
            raise self._refuse("this is a folder; give the file itself")
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise self._refuse(f"cannot be read ({error.strerror}); check the path") from None

    def _ids(self, arrays: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.str_]:
        ids = arrays["image_id"]
        if ids.ndim != 1 or ids.dtype.kind not in "USiu":
            raise self._refuse(
                f"image_id is {ids.dtype} {ids.shape}; it must be one text (or number) an image"
            )
        try:
            texts: npt.NDArray[np.str_] = ids.astype(np.str_)
        except UnicodeDecodeError:
            raise self._refuse("image_id holds bytes that are not ASCII; store text") from None
        doubled = [name for name, times in Counter(texts.tolist()).items() if times > 1]
        if doubled:
            raise InputError.listing(
                f"matcher.path={self._path}: image_id must be unique; these occur more than once:",
                [repr(name) for name in doubled],
            )
        return texts

    def _vectors(self, arrays: dict[str, npt.NDArray[Any]], count: int) -> Float64s:
        vectors = arrays["vectors"]
        if vectors.ndim != 2 or vectors.dtype.kind != "f" or vectors.shape[1] == 0:
            raise self._refuse(
                f"vectors is {vectors.dtype} {vectors.shape}; it must be float [N, D]"
            )
        if len(vectors) != count:
            raise self._refuse(f"{len(vectors)} vectors, but {count} image_id")
        return vectors.astype(np.float64)

    def _failures(
        self, vectors: Float64s, declared: npt.NDArray[Any] | None, ids: npt.NDArray[np.str_]
    ) -> npt.NDArray[np.str_]:
        """Per row the reason why it is no template, or ""."""
        finite: Bools = np.asarray(np.isfinite(vectors).all(axis=1))
        length = np.abs(np.where(finite[:, None], vectors, 0.0)).max(axis=1)
        reason = np.where(length == 0, _NO_LENGTH, "")
        failure: npt.NDArray[np.str_] = np.where(finite, reason, _NOT_FINITE).astype(np.str_)
        if declared is None:
            return failure
        enrolled = self._declared(declared, len(ids))
        wrong = np.flatnonzero(np.logical_and(enrolled, failure != ""))
        if len(wrong):
            raise InputError.listing(
                f"matcher.path={self._path}: rows declared as enrolled have no usable vector; "
                "declare them as not enrolled or mend them:",
                [f"row {row + 1}, image_id {str(ids[row])!r}: {failure[row]}" for row in wrong],
            )
        return np.where(enrolled, "", _DECLARED)

    def _declared(self, declared: npt.NDArray[Any], count: int) -> Bools:
        if declared.shape != (count,):
            raise self._refuse(f"enrolled has shape {declared.shape}, wanted ({count},)")
        if declared.dtype.kind not in "biu" or not np.isin(declared, (0, 1)).all():
            raise self._refuse(f"enrolled is {declared.dtype}; it must hold True and False")
        return declared.astype(np.bool_)

    def _rows(
        self, stored: npt.NDArray[np.str_], asked: npt.NDArray[np.str_]
    ) -> npt.NDArray[np.int64]:
        position = {name: row for row, name in enumerate(stored.tolist())}
        absent = [name for name in asked.tolist() if name not in position]
        if absent:
            raise InputError.listing(
                f"matcher.path={self._path}: {len(absent)} of {len(asked)} images of the set have "
                "no vector; add them, with enrolled=False for failures:",
                [repr(name) for name in absent],
            )
        return np.array([position[name] for name in asked.tolist()], dtype=np.int64)


def _unit(vectors: Float64s, enrolled: Bools) -> npt.NDArray[np.float32]:
    """Rows at unit length, zero where not enrolled; scaled first, so that squares stay in range."""
    usable = np.where(enrolled[:, None], vectors, 0.0)
    peak = np.abs(usable).max(axis=1, keepdims=True)
    scaled = usable / np.where(peak == 0, 1.0, peak)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    return (scaled / np.where(length == 0, 1.0, length)).astype(np.float32)

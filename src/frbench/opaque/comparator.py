"""What a black box must offer: a score for one probe template against each of many references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from frbench.errors import InputError
from frbench.values import EmbeddingSet, Floats


class Comparator(Protocol):
    """Compares templates that only it can read.

    One call serves many references, because starting a call (a process, a request) usually costs
    more than a comparison. A matcher whose probe and reference templates differ is asymmetric:
    plan with ``roles=True``, and hand ``run_plan`` its reference templates too.
    """

    name: str

    def compare(self, probe: bytes, references: Sequence[bytes]) -> Sequence[float] | Floats:
        """One score per reference, larger is more alike; NaN where that comparison failed."""
        ...

    def identity(self) -> Mapping[str, Any]:
        """Everything that can change the scores (versions, hashes, settings), as plain data."""
        ...


class VectorComparator:
    """The cosine of unit vectors behind the interface of a black box, for trying out and tests.

    A template is the bytes of a float32 vector of unit length; its scores are exactly the
    engine's (``counting.score``).

    Args:
        dimensions: length of the vectors.
    """

    name = "vectors"

    def __init__(self, *, dimensions: int) -> None:
        self.dimensions = dimensions

    @staticmethod
    def blobs(embeddings: EmbeddingSet) -> list[bytes | None]:
        """A template per image, None for a failure to enrol."""
        return [
            np.ascontiguousarray(vector, dtype=np.float32).tobytes() if enrolled else None
            for vector, enrolled in zip(embeddings.vectors, embeddings.enrolled, strict=True)
        ]

    def compare(self, probe: bytes, references: Sequence[bytes]) -> Floats:
        """float32 [len(references)]. Raises InputError for a template of another length."""
        from frbench.counting.score import scores

        length = 4 * self.dimensions
        strange = next((len(one) for one in (probe, *references) if len(one) != length), None)
        if strange is not None:
            raise InputError(
                f"a template has {strange} bytes, but {self.dimensions} float32 take {length}"
            )
        vectors = np.frombuffer(b"".join((probe, *references)), dtype=np.float32)
        vectors = vectors.reshape(-1, self.dimensions)
        other = np.arange(1, len(vectors), dtype=np.int64)
        return scores(vectors, np.zeros_like(other), other)

    def identity(self) -> Mapping[str, Any]:
        """The name and the length of the vectors."""
        return {"comparator": self.name, "dimensions": self.dimensions}

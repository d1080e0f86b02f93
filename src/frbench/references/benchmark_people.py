"""``reference=benchmark``: the people of the benchmark set are the population."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from frbench.auditing.composition import Expected, crossed_labels, label_parts
from frbench.benchmarks.manifest import ManifestBenchmark
from frbench.references.stated_shares import StatedShares


class BenchmarkPeople:
    """Shares of persons in a labelled benchmark manifest, as a sample of that many persons."""

    def __init__(self, *, path: str, root: str | None = None, name: str | None = None) -> None:
        """Remember the manifest (``path, subject_id`` and labels); nothing is read yet."""
        self._set = ManifestBenchmark(path=path, root=root, name=name)
        self.name = name or Path(path).stem

    def expected(self, label: str, groups: Sequence[str]) -> Expected | None:
        """Shares of persons under the label; None where the set lacks one of its columns."""
        faces = self._set.load().faces
        columns = [f"label_{part}" for part in label_parts(label)]
        if any(column not in faces for column in columns):
            return None
        people = faces.dropna(subset=columns).drop_duplicates("subject_id")
        counts = crossed_labels(people, columns).value_counts()
        stated = StatedShares(
            name=self.name,
            source=f"{len(people)} persons of the benchmark set {self.name}",
            shares={label: {str(key): float(value) for key, value in counts.items()}},
            persons=float(len(people)),
        )
        return stated.expected(label, groups)

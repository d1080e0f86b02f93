"""The embedded benchmark: synthetic faces of people who do not exist, with known factors.

Pictures are rendered once into a private cache folder and re-used. The people come from the
stream "benchmark"; ``scripts/train_tiny.py`` draws from streams of other names, so no person of
this set is in the training of the tiny matcher.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pandas as pd

from frbench.benchmarks import Progress, silent
from frbench.errors import InputError
from frbench.rendered_files import PersonStream, fill, renderer_digest
from frbench.rendering import RENDERER_VERSION
from frbench.values import FaceSet

STREAM = "benchmark"
"""Name of this population; see ``rendering.identity.draw_person``."""


class SyntheticBenchmark:
    """Eight groups, skin tone x sex x age band, of equally many synthetic people.

    Args:
        people_per_group: persons in each of the 8 groups.
        images_per_person: pictures of each, every one under new circumstances.
        seed: of the whole set; the same seed gives the same bytes.
        cache: folder for the pictures; None means the environment's FRBENCH_CACHE, else
            ~/.cache/frbench. A subfolder synthetic/<key> is made, readable by its owner only.
    """

    def __init__(
        self,
        *,
        people_per_group: int = 60,
        images_per_person: int = 5,
        seed: int = 2026,
        cache: Path | str | None = None,
    ) -> None:
        for name, value in (
            ("people_per_group", people_per_group),
            ("images_per_person", images_per_person),
        ):
            if not 1 <= value <= 10_000:
                raise InputError(
                    f"benchmark=synthetic: {name} is {value}; "
                    "choose a whole number from 1 to 10000."
                )
        self.people_per_group = people_per_group
        self.images_per_person = images_per_person
        self.seed = seed
        self.cache = cache

    def load(self, *, progress: Progress = silent) -> FaceSet:
        """The set, rendered now or found in the cache.

        Labels: ``label_skin_tone`` (lighter, darker), ``label_sex`` (female, male),
        ``label_age_band`` (younger, older). Paths are relative to the cache's subfolder.

        Raises:
            InputError: the cache folder cannot be written.
        """
        faces = self._table()
        folder = self.folder()
        fill(folder, list(faces["path"]), self._stream(), "benchmark=synthetic", progress)
        return FaceSet(
            name="synthetic",
            version=RENDERER_VERSION,
            root=folder,
            faces=faces,
            synthetic=True,
            about={
                "source": "rendered by frbench.rendering; no photograph and no real person",
                "licence": "MIT, as frbench",
                "labels": "known by construction: the factors that the renderer was given",
                "note": "synthetic faces; error rates on them say nothing about real people",
                "settings": json.dumps(self._settings(), sort_keys=True),
            },
        )

    def folder(self) -> Path:
        """Where the pictures are or will be: <cache>/synthetic/<key of everything they rest on>."""
        text = json.dumps(self._settings() | {"renderer": renderer_digest()}, sort_keys=True)
        return self._cache_root() / "synthetic" / hashlib.sha256(text.encode()).hexdigest()[:20]

    def _stream(self) -> PersonStream:
        from frbench.rendering.identity import GROUPS
        from frbench.rendering.render import Shot

        people = len(GROUPS) * self.people_per_group
        shots = [
            Shot(person, GROUPS[person // self.people_per_group], shot)
            for person in range(people)
            for shot in range(self.images_per_person)
        ]
        return PersonStream(shots, self.seed, STREAM)

    def _cache_root(self) -> Path:
        chosen = self.cache or os.environ.get("FRBENCH_CACHE") or "~/.cache/frbench"
        return Path(chosen).expanduser().absolute()

    def _settings(self) -> dict[str, Any]:
        return {
            "people_per_group": self.people_per_group,
            "images_per_person": self.images_per_person,
            "seed": self.seed,
            "stream": STREAM,
        }

    def _table(self) -> pd.DataFrame:
        from frbench.rendering.identity import FACTORS, GROUPS

        rows = []
        for place, factors in enumerate(GROUPS):
            for member in range(self.people_per_group):
                subject = f"syn-{place * self.people_per_group + member:05d}"
                labels = {f"label_{f}": v for f, v in zip(FACTORS, factors, strict=True)}
                for shot in range(self.images_per_person):
                    image = f"{subject}_{shot:02d}"
                    keys = {"image_id": image, "subject_id": subject, "path": f"{image}.png"}
                    rows.append(keys | labels)
        return pd.DataFrame(rows)

"""``training_set=synthetic``: rendered custody images of people who do not exist.

A made-up force arrests some groups more, releases most of them without charge and keeps every
image. The rates are illustrative and no statistics of any force.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from frbench.auditing.manifest import TrainingSet
from frbench.digests import digest_of
from frbench.errors import InputError
from frbench.rendered_files import PersonStream, fill, renderer_digest
from frbench.values import Float64s, Int64s


class SyntheticCustody:
    """Rendered people in custody; nobody of them is in ``benchmark=synthetic``.

    Labels: ``skin_tone``, ``sex`` and ``age_band``, known by construction.
    """

    def __init__(
        self,
        *,
        people: int = 320,
        images_per_person: int = 4,
        arrests: Mapping[str, float] | None = None,
        released: float = 0.5,
        released_times: Mapping[str, float] | None = None,
        seed: int = 7,
        stream: str = "custody",
        cache: Path | str | None = None,
    ) -> None:
        """Settings; nothing is rendered before ``load``.

        Args:
            people: persons in all.
            images_per_person: pictures of each.
            arrests: value of a label -> how many times as often its people are arrested; factors
                multiply, so ``{darker: 3, younger: 3}`` is 9 for darker younger people.
            released: share of the persons who were released without charge.
            released_times: value of a label -> factor on that share; at most 0.95 comes of it.
            seed: of the people.
            stream: name of the population; streams share nobody, and "benchmark" is refused.
            cache: folder for the pictures; None: FRBENCH_CACHE, else ~/.cache/frbench.
        """
        if not 2 <= people <= 100_000 or not 1 <= images_per_person <= 100:
            raise InputError(
                f"training_set=synthetic: people={people}, images_per_person={images_per_person}; "
                "choose 2 to 100000 people and 1 to 100 images of each"
            )
        if stream == "benchmark":
            raise InputError(
                "training_set.stream=benchmark would train on the benchmark's people; name another"
            )
        if not 0 <= released <= 0.95:
            raise InputError(f"training_set.released={released} must lie between 0 and 0.95")
        self._people, self._images = people, images_per_person
        self._arrests, self._times = dict(arrests or {}), dict(released_times or {})
        self._released, self._seed, self._stream = released, seed, stream
        self._cache = cache
        self._check_values()

    @property
    def root(self) -> Path:
        """Where the pictures are, or will be."""
        root = Path(self._cache or os.environ.get("FRBENCH_CACHE") or "~/.cache/frbench")
        return root.expanduser().absolute() / "synthetic" / self._key()[:20]

    def load(self, *, as_of: date | None = None, progress: Any = None) -> TrainingSet:
        """The set, rendered now or found in the cache. Raises InputError if it cannot be kept."""
        from frbench.rendering.identity import FACTORS, GROUPS
        from frbench.rendering.render import Shot

        home = np.repeat(np.arange(len(GROUPS)), self._counts())
        person = np.repeat(np.arange(len(home)), self._images)
        shots = [
            Shot(int(who), GROUPS[home[who]], at % self._images) for at, who in enumerate(person)
        ]
        names = [f"cus-{shot.person:05d}_{shot.shot:02d}.png" for shot in shots]
        pictures = PersonStream(shots, self._seed, self._stream)
        fill(self.root, names, pictures, "training_set=synthetic", progress or _silent)
        free = self._who_was_released(home)[person]
        blank = pd.Series(pd.NaT, index=range(len(names)), dtype="datetime64[s]")
        table = pd.DataFrame({"path": pd.Series(names, dtype="str")})
        table["captured"] = table["retained_until"] = blank
        words = np.where(free, "released_without_charge", "charged")
        table["disposal"] = pd.Categorical(words)
        table["source"] = pd.Categorical(["rendered"] * len(names))
        for place, factor in enumerate(FACTORS):
            table[factor] = pd.Categorical([GROUPS[home[who]][place] for who in person])
        return TrainingSet(
            name=f"synthetic {self._stream}",
            table=table,
            person=person.astype(np.int32),
            subjects=pd.Index([f"cus-{each:05d}" for each in range(len(home))], dtype="str"),
            labels=tuple(FACTORS),
            dated=False,
            disposed=True,
            faults=pd.DataFrame(columns=["fault", "column", "rows", "done", "example"]),
            rows=len(names),
            sha256=self._key(),
            synthetic=True,
        )

    def _check_values(self) -> None:
        from frbench.rendering.identity import FACTORS

        known = {value for levels in FACTORS.values() for value in levels}
        for name, given in (("arrests", self._arrests), ("released_times", self._times)):
            wrong = [f"{key}: {value}" for key, value in given.items() if not value > 0]
            wrong += [str(key) for key in given if key not in known]
            if wrong:
                raise InputError(
                    f"training_set.{name}: {', '.join(wrong)}; give factors above zero for "
                    f"{', '.join(sorted(known))}"
                )

    def _factor(self, times: Mapping[str, float]) -> Float64s:
        from frbench.rendering.identity import GROUPS

        products = [np.prod([times.get(value, 1.0) for value in group]) for group in GROUPS]
        return np.array(products, dtype=np.float64)

    def _counts(self) -> Int64s:
        """Persons per group, by largest remainders."""
        weight = self._factor(self._arrests)
        wanted = weight / weight.sum() * self._people
        counts: Int64s = np.floor(wanted).astype(np.int64)
        short = self._people - int(counts.sum())
        counts[np.argsort(-(wanted - counts), kind="stable")[:short]] += 1
        return counts

    def _who_was_released(self, home: Int64s) -> Any:
        share = np.minimum(self._released * self._factor(self._times), 0.95)
        rng = np.random.default_rng([self._seed, len(home)])
        return rng.random(len(home)) < share[home]

    def _key(self) -> str:
        return digest_of(
            {
                "people": self._people,
                "images": self._images,
                "arrests": {k: float(v) for k, v in self._arrests.items() if v != 1},
                "seed": self._seed,
                "stream": self._stream,
                "renderer": renderer_digest(),
            }
        )


def _silent(done: int, total: int) -> None:
    """Progress that nobody asked for."""

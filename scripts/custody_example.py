"""Write a made-up custody manifest that tells the guidance's example, to try ``frbench audit`` on.

Nobody in it is real. People are arrested at unequal rates, most are released without charge, and
their images stay: a share that the arrests begin is what the training set then ends with.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

POPULATION = {"White": 0.817, "Asian": 0.093, "Black": 0.040, "Mixed": 0.029, "Other": 0.021}
ARRESTS = {"White": 9.4, "Asian": 9.0, "Black": 20.4, "Mixed": 14.0, "Other": 9.0}
"""Arrests per thousand a year. Those of White and Black people are published (England and Wales,
year to March 2023); the others are made up so that the example is complete."""

AGES = {"10 to 17": 0.12, "18 to 29": 0.43, "30 to 44": 0.30, "45 and over": 0.15}


def custody(images: int, *, seed: int) -> pd.DataFrame:
    """So many rows of the data dictionary's columns; the same for the same seed."""
    rng = np.random.default_rng(seed)
    persons = images * 2 // 3
    weight = np.array([POPULATION[name] * ARRESTS[name] for name in POPULATION])
    ethnicity = rng.choice(list(POPULATION), persons, p=weight / weight.sum())
    age = rng.choice(list(AGES), persons, p=list(AGES.values()))
    sex = rng.choice(["male", "female"], persons, p=[0.85, 0.15])
    who = np.r_[np.arange(persons), rng.integers(0, persons, images - persons)]
    taken = np.datetime64("2021-01-01") + rng.integers(0, 1460, images)
    disposal = rng.choice(
        ["released without charge", "no further action", "charged", "cautioned"],
        images,
        p=[0.35, 0.25, 0.33, 0.07],
    )
    return pd.DataFrame(
        {
            "path": [f"custody/{number:06d}.jpg" for number in range(images)],
            "subject_id": [f"P{number:06d}" for number in who],
            "captured": taken.astype(str),
            "disposal": disposal,
            "retained_until": (taken + np.timedelta64(365 * 6, "D")).astype(str),
            "source": rng.choice(["suite north", "suite south"], images),
            "ethnicity": ethnicity[who],
            "sex": sex[who],
            "age_band": age[who],
        }
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python scripts/custody_example.py FILE.csv")
    custody(6000, seed=20220901).to_csv(Path(sys.argv[1]), index=False, lineterminator="\n")

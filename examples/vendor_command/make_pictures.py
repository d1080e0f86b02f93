"""Small synthetic pictures for trying a vendor: 40 "persons", three pictures each; no faces.

python examples/vendor_command/make_pictures.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image


def main(folder: Path) -> None:
    """A pattern of 8 x 8 colours a person, noise on each picture; a manifest beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    rows = []
    for person in range(40):
        kind = "ab"[person % 2]
        pattern = rng.integers(60, 200, (8, 8, 3)).astype(float)
        if kind == "b":
            # these resemble one another: half of each pattern is shared
            pattern = 0.4 * pattern + 80 + 6 * np.arange(8)[:, None, None]
        for number in range(3):
            picture = np.kron(pattern, np.ones((14, 14, 1))) + rng.normal(0, 40, (112, 112, 3))
            name = f"p{person:02d}_{number}.ppm"
            Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(folder / name)
            rows.append({"path": name, "subject_id": f"p{person:02d}", "kind": kind})
    pd.DataFrame(rows).to_csv(folder / "manifest.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

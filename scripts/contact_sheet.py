"""Draw the contact sheet of the synthetic faces: a row per group, a column per person.

.venv/bin/python scripts/contact_sheet.py [--out docs/images/synthetic-faces.png]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from frbench.rendering.identity import GROUPS
from frbench.rendering.render import SIZE, Shot, render

OUT = Path(__file__).resolve().parent.parent / "docs/images/synthetic-faces.png"
PEOPLE, SIDE, LABEL, TITLE = 6, 84, 90, 34
INK, PAPER = (34, 34, 40), (255, 255, 255)


def draw(people: int, seed: int) -> Image.Image:
    """The sheet: title, then 8 rows of ``people`` people, the last one shown twice."""
    columns = [(person, 0) for person in range(people)] + [(people - 1, 1)]
    shots = [
        Shot(row * people + person, group, shot)
        for row, group in enumerate(GROUPS)
        for person, shot in columns
    ]
    faces = render(shots, seed=seed, stream="contact-sheet")
    faces = faces.reshape(len(GROUPS), len(columns), SIZE, SIZE, 3)
    sheet = Image.new("RGB", (LABEL + len(columns) * SIDE, TITLE + len(GROUPS) * SIDE), PAPER)
    pen = ImageDraw.Draw(sheet)
    title = "synthetic faces: no real person; the last two columns show one person twice"
    pen.text((8, 8), title, fill=INK, font=ImageFont.load_default(size=15))
    for row, group in enumerate(GROUPS):
        place = (8, TITLE + row * SIDE + SIDE // 2 - 24)
        pen.text(place, "\n".join(group), fill=INK, font=ImageFont.load_default(size=13))
        for column, face in enumerate(faces[row]):
            small = Image.fromarray(np.ascontiguousarray(face)).resize((SIDE, SIDE), Image.LANCZOS)
            sheet.paste(small, (LABEL + column * SIDE, TITLE + row * SIDE))
    return sheet


def main() -> None:
    """Parse the command line, draw, write a palette PNG of at most 300 kB."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--seed", type=int, default=3)
    chosen = parser.parse_args()
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    sheet = draw(PEOPLE, chosen.seed).quantize(256, dither=Image.Dither.NONE)
    sheet.save(chosen.out, optimize=True)
    print(f"wrote {chosen.out} ({chosen.out.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    main()

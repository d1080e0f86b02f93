#!/usr/bin/env python3
"""Any matcher of frbench behind the command contract (docs/vendor-command.md).

    frbench evaluate matcher=command matcher.program=PYTHON \
        'matcher.arguments=[examples/vendor_command_frbench/vendor.py,dlib]' ...

The word after the script is a choice of frbench's config group ``matcher``. A template is the
matcher's unit vector, float32; a score is the engine's.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

STATED: list[dict[str, float]] = []
"""Thresholds that this vendor states, e.g. [{"fmr": 0.001, "score": 0.93}]; none here."""


def main(words: list[str]) -> int:
    """``vendor.py MATCHER VERB IN OUT``; the exit status says whether the batch was done."""
    if len(words) < 3 or words[1] not in ("info", "create", "match"):
        print("usage: vendor.py MATCHER info OUT | create IMAGES FOLDER | match PAIRS OUT")
        return 2
    matcher, verb, *paths = words
    if verb == "info":
        info(matcher, Path(paths[0]))
    elif verb == "create":
        create(matcher, Path(paths[0]), Path(paths[1]))
    else:
        match(Path(paths[0]), Path(paths[1]))
    return 0


def info(matcher: str, out: Path) -> None:
    """Name, a version that changes with the matcher's weights and settings, and thresholds."""
    from frbench.digests import digest_of

    matching, detector = parts(matcher)
    version = digest_of(
        {"matcher": dict(matching.identity()), "detector": dict(detector.identity())}
    )
    out.write_text(
        json.dumps({"name": matcher, "version": version[:16], "thresholds": STATED}),
        encoding="utf-8",
    )


def create(matcher: str, images: Path, folder: Path) -> None:
    """A template file per image, and status.tsv with a line for each."""
    import pandas as pd

    from frbench.embedding import embed
    from frbench.values import FaceSet

    rows = [line.split("\t", 1) for line in images.read_text(encoding="utf-8").splitlines()]
    table = pd.DataFrame(
        {"image_id": [name for name, _ in rows], "subject_id": "", "path": [p for _, p in rows]}
    )
    matching, detector = parts(matcher)
    found = embed(
        FaceSet("images", "1", Path("/"), table),
        detector,
        matching,
        choice="most_central",
        unreadable="fail_to_enrol",
        workers=0,
    )
    lines = []
    for name, vector, enrolled, failure in zip(
        found.image_id, found.vectors, found.enrolled, found.failure, strict=True
    ):
        if enrolled:
            (folder / f"{name}.template").write_bytes(vector.tobytes())
        reason = "".join(sign if sign.isprintable() else " " for sign in str(failure))
        lines.append(f"{name}\t{0 if enrolled else 1}\t{reason}\n")
    (folder / "status.tsv").write_text("".join(lines), encoding="utf-8")


def match(pairs: Path, out: Path) -> None:
    """A score per pair of template files, with all its digits: rounded, it would be another."""
    import numpy as np

    from frbench.counting.score import scores

    rows = [line.split("\t") for line in pairs.read_text(encoding="utf-8").splitlines()]
    files = sorted({path for _, *both in rows for path in both})
    place = {path: number for number, path in enumerate(files)}
    vectors = np.stack([np.frombuffer(Path(path).read_bytes(), dtype=np.float32) for path in files])
    first, second = (np.array([place[row[side]] for row in rows], np.int64) for side in (1, 2))
    found = scores(vectors, first, second)
    lines = [f"{row[0]}\t0\t{float(score)!r}\n" for row, score in zip(rows, found, strict=True)]
    out.write_text("".join(lines), encoding="utf-8")


def parts(name: str) -> tuple[object, object]:
    """The matcher of that name and the detector it was made for, as frbench's YAML says."""
    from omegaconf import OmegaConf

    from frbench.config import Builder, config_dir

    def node(group: str, choice: str) -> dict[str, object]:
        return dict(OmegaConf.load(config_dir() / group / f"{choice}.yaml"))

    builder = Builder(device="cpu", cache=None)
    own = node("matcher", name)
    if "workers" in own:
        own["workers"] = 1  # frbench runs several of us already
    matching = builder.part(own, "matcher")
    builder.done()
    detector = builder.part(node("detector", matching.default_detector), "detector")
    builder.done()
    return matching, detector


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

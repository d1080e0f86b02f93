"""Which face of several is the labelled person: one documented policy, the same for all detectors.

A set whose bystanders are taken for the labelled person shows false non-matches that the matcher
never made, so the policy is part of the cache key and of every run record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from frbench.detectors import Detection
from frbench.errors import InputError

Choice = Literal["largest", "most_central", "most_confident", "only", "skip"]
CHOICES: tuple[str, ...] = get_args(Choice)
LEFT_OUT = "left out: "
"""How the reason begins where an image is left out of the set, not held against the matcher."""


def check_choice(choice: str) -> Choice:
    """The policy, if there is one of that name. Raises InputError otherwise."""
    if choice not in CHOICES:
        raise InputError(f"detector.choice={choice} is unknown; use one of {', '.join(CHOICES)}")
    return choice  # type: ignore[return-value]  # narrowed by the line above


def choose_face(
    found: Sequence[Detection], size: tuple[int, int], choice: Choice
) -> Detection | str:
    """The labelled person's face, or the reason why the image is a failure to enrol.

    Ties go to the face that the detector listed first, so that the answer does not vary.

    Args:
        found: the faces on one image, best first.
        size: width and height of the image, pixels.
        choice: ``largest`` box; ``most_central`` box centre; ``most_confident``; ``only``: one is
            required, and several are a failure to enrol; ``skip``: an image with several is left
            out of the set.
    """
    if not found:
        return "no face found"
    if choice == "only":
        return found[0] if len(found) == 1 else f"{len(found)} faces found, one wanted"
    if choice == "skip":
        return found[0] if len(found) == 1 else f"{LEFT_OUT}{len(found)} faces found"
    boxes = np.array([face.extent for face in found], dtype=np.float64)
    if choice == "largest":
        merit = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    elif choice == "most_central":
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2 - np.array(size) / 2
        merit = -np.hypot(middle[:, 0], middle[:, 1])
    else:
        merit = np.array([face.confidence for face in found], dtype=np.float64)
    return found[int(np.argmax(merit))]

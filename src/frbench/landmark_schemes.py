"""Schemes of facial landmarks and how one is had from the other."""

from __future__ import annotations

import numpy as np

from frbench.values import Float32s

_LEFT_EYE, _RIGHT_EYE = slice(36, 42), slice(42, 48)
_NOSE_TIP, _MOUTH_LEFT, _MOUTH_RIGHT = 30, 48, 54
_DLIB_FIVE = [45, 42, 36, 39, 33]


def five_of_68(points: Float32s) -> Float32s:
    """Eye centres, nose tip and mouth corners, float32 [5, 2], from the 68 points of iBUG."""
    return np.stack(
        [
            points[_LEFT_EYE].mean(axis=0),
            points[_RIGHT_EYE].mean(axis=0),
            points[_NOSE_TIP],
            points[_MOUTH_LEFT],
            points[_MOUTH_RIGHT],
        ]
    )


def dlib5_of_68(points: Float32s) -> Float32s:
    """dlib's own five, float32 [5, 2]: the corners of both eyes, right of the image first, and
    the base of the nose."""
    return points[_DLIB_FIVE]

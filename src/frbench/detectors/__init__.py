"""The shelf of face detectors: where the face is, and its landmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from frbench.values import Float32s

Image = npt.NDArray[np.uint8]
"""uint8 (H, W, 3) RGB."""


@dataclass(frozen=True)
class Detection:
    """One face in one image.

    Attributes:
        box: float32 [4], x0 y0 x1 y1, pixels; NaN where only landmarks are known.
        confidence: detector's own scale; larger is surer.
        landmarks: named sets of points, float32 [P, 2], pixels. ``five`` holds the centre of the
            left-of-image eye, right-of-image eye, nose tip, left and right mouth corner;
            ``dlib5`` dlib's own five points.
    """

    box: Float32s
    confidence: float
    landmarks: Mapping[str, Float32s] = field(default_factory=dict)

    @property
    def extent(self) -> Float32s:
        """The box, or the smallest one round the landmarks where there is no box."""
        points = next(iter(self.landmarks.values()), None)
        if points is None or not np.isnan(self.box).any():
            return self.box
        return np.concatenate([points.min(axis=0), points.max(axis=0)])


class Detector(Protocol):
    """Finds faces. Deterministic for given bytes and version.

    What a detector may have besides: ``batch``, how many images it looks at in one go (default
    1); ``in_processes``, False where it cannot work in processes of its own.
    """

    name: str

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """The faces on each image, best first; an empty list is a failure to detect."""
        ...

    def identity(self) -> Mapping[str, Any]:
        """Everything that can change the detections: weights hash, settings, package versions."""
        ...


class ListedFaces(Detector, Protocol):
    """A detector that knows images by their names, not by their pixels."""

    def expect(self, names: Sequence[tuple[str, ...]]) -> None:
        """Raises InputError where it knows none of these images."""
        ...

    def listed(self, names: tuple[str, ...]) -> Any:
        """What it knows of this image, as plain data: part of the image's cache key."""
        ...

    def look_up(self, names: tuple[str, ...], image: Image) -> list[Detection]:
        """The faces on this image, in the order of the list."""
        ...

"""``detector=precropped``: every image is one face already, cut out as its matcher wants it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from frbench.detectors import Detection, Image


class PrecroppedDetector:
    """Takes the whole image for the face; alignment is then a resize and nothing else."""

    name = "precropped"

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """One box around each whole image, confidence 1, no landmarks."""
        return [
            [Detection(np.array([0, 0, image.shape[1], image.shape[0]], np.float32), 1.0)]
            for image in images
        ]

    def identity(self) -> Mapping[str, Any]:
        """Nothing can vary."""
        return {"name": self.name}

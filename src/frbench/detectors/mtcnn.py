"""``detector=mtcnn``: the multi-task cascaded network whose weights ship in facenet-pytorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from frbench.detectors import Detection, Image
from frbench.digests import digest_file
from frbench.errors import InputError

_WEIGHTS = ("pnet.pt", "rnet.pt", "onet.pt")
_NO_CANDIDATES = "expected a non-empty list"


class MtcnnDetector:
    """Zhang et al., "Joint face detection and alignment using MTCNN" (2016); landmarks ``five``.

    Images go through one by one: sets mix sizes, and a face must not depend on its neighbours.
    """

    name = "mtcnn"

    def __init__(
        self,
        *,
        min_face_size: int = 20,
        thresholds: Sequence[float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
        min_confidence: float = 0.0,
        device: str = "cpu",
    ) -> None:
        """Settings only; the networks are loaded at first use.

        Args:
            min_face_size: smallest face searched for, pixels.
            thresholds: what a candidate must reach in each of the three networks, 0 to 1.
            factor: ratio between neighbouring scales of the image pyramid.
            min_confidence: faces below this final probability are left out.
            device: ``cpu`` or ``cuda``.

        Raises:
            InputError: a setting out of range.
        """
        if len(thresholds) != 3 or not all(0 <= value <= 1 for value in thresholds):
            raise InputError(f"detector.thresholds={list(thresholds)}: give three of 0 to 1")
        if min_face_size < 12:
            raise InputError(f"detector.min_face_size={min_face_size}: the smallest is 12 pixels")
        if not 0.1 <= factor <= 0.95:
            raise InputError(f"detector.factor={factor} is out of range; use 0.1 to 0.95")
        self._min_face_size = min_face_size
        self._thresholds = [float(value) for value in thresholds]
        self._factor = factor
        self._min_confidence = min_confidence
        self._device = device

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """The faces on each image, surest first."""
        return [self._faces(image) for image in images]

    def identity(self) -> Mapping[str, Any]:
        """Settings, package versions and the SHA-256 of the three networks' weights."""
        spec = find_spec("facenet_pytorch")
        folders = list(spec.submodule_search_locations or []) if spec else []
        weights = {name: digest_file(Path(folders[0]) / "data" / name) for name in _WEIGHTS}
        return {
            "name": self.name,
            "min_face_size": self._min_face_size,
            "thresholds": self._thresholds,
            "factor": self._factor,
            "min_confidence": self._min_confidence,
            "device": self._device.split(":")[0],
            "facenet_pytorch": version("facenet-pytorch"),
            "torch": version("torch"),
            "weights": weights,
        }

    def _faces(self, image: Image) -> list[Detection]:
        if min(image.shape[:2]) < self._min_face_size:
            return []  # the package has no scale to search and fails on an empty list
        try:
            boxes, scores, points = self._network.detect(np.array(image)[None], landmarks=True)
        except (RuntimeError, ValueError) as error:
            if _NO_CANDIDATES in str(error):
                return []  # every candidate lay outside the image
            raise
        if boxes[0] is None:
            return []
        found = [
            Detection(
                np.asarray(box, np.float32), float(score), {"five": np.asarray(five, np.float32)}
            )
            for box, score, five in zip(boxes[0], scores[0], points[0], strict=True)
            if score >= self._min_confidence
        ]
        return sorted(found, key=lambda face: -face.confidence)

    @cached_property
    def _network(self) -> Any:
        import torch
        from facenet_pytorch import MTCNN

        return MTCNN(
            min_face_size=self._min_face_size,
            thresholds=self._thresholds,
            factor=self._factor,
            keep_all=True,
            device=torch.device(self._device),
        ).eval()

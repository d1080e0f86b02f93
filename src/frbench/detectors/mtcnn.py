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

    Images of one size can go through together, which is worth most on a GPU. The price is that a
    face then depends on its neighbours by rounding (about 1e-4 of a pixel), so it is a setting of
    its own and part of the identity; one by one, nothing depends on anything.
    """

    name = "mtcnn"

    def __init__(
        self,
        *,
        min_face_size: int = 20,
        thresholds: Sequence[float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
        min_confidence: float = 0.0,
        batch: int = 1,
        device: str = "cpu",
    ) -> None:
        """Settings only; the networks are loaded at first use.

        Args:
            min_face_size: smallest face searched for, pixels.
            thresholds: what a candidate must reach in each of the three networks, 0 to 1.
            factor: ratio between neighbouring scales of the image pyramid.
            min_confidence: faces below this final probability are left out.
            batch: neighbouring images of the set that are looked at in one go, those of one size
                together.
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
        if batch < 1:
            raise InputError(f"detector.batch={batch} is too small; use 1 or more")
        self._min_confidence = min_confidence
        self.batch = batch
        self._device = device

    @property
    def in_processes(self) -> bool:
        """Not on a GPU: each process would need a context of its own there."""
        return not self._device.startswith("cuda")

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """The faces on each image, surest first."""
        if self.batch == 1:
            return [self._faces(image) for image in images]
        by_size: dict[tuple[int, ...], list[int]] = {}
        for place, image in enumerate(images):
            by_size.setdefault(image.shape, []).append(place)
        found: dict[int, list[Detection]] = {}
        for places in by_size.values():
            for start in range(0, len(places), self.batch):
                some = places[start : start + self.batch]
                found |= zip(some, self._together([images[each] for each in some]), strict=True)
        return [found[place] for place in range(len(images))]

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
            **({"batch": self.batch} if self.batch > 1 else {}),
        }

    def __getstate__(self) -> dict[str, Any]:
        """Settings only: each process loads the networks for itself."""
        return {key: value for key, value in vars(self).items() if key != "_network"}

    def _faces(self, image: Image) -> list[Detection]:
        try:
            return self._searched(image[None])[0]
        except (RuntimeError, ValueError) as error:
            if _NO_CANDIDATES in str(error):
                return []  # every candidate lay outside the image
            raise

    def _together(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Images of one size; one by one where the package trips over one of them."""
        try:
            return self._searched(np.stack(images))
        except (RuntimeError, ValueError, IndexError):
            return [self._faces(image) for image in images]

    def _searched(self, images: Image) -> list[list[Detection]]:
        """uint8 (b, H, W, 3) to the faces on each."""
        if min(images.shape[1:3]) < self._min_face_size:
            return [[] for _ in images]  # the package has no scale to search and fails on that
        many = self._network.detect(np.array(images), landmarks=True)
        return [self._sorted(*each) for each in zip(*many, strict=True)]

    def _sorted(self, boxes: Any, scores: Any, points: Any) -> list[Detection]:
        if boxes is None:
            return []
        found = [
            Detection(
                np.asarray(box, np.float32), float(score), {"five": np.asarray(five, np.float32)}
            )
            for box, score, five in zip(boxes, scores, points, strict=True)
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

"""``detector=dlib_hog``: dlib's frontal face detector with the landmarks its matcher needs."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from frbench.detectors import Detection, Image
from frbench.dlib_files import (
    FIVE_POINTS,
    SIXTY_EIGHT_POINTS,
    import_dlib,
    model_digest,
    model_file,
)
from frbench.errors import InputError
from frbench.landmark_schemes import five_of_68
from frbench.values import Float32s


class DlibHogDetector:
    """Histogram-of-gradients detector (Dalal & Triggs 2005) as dlib ships it, CPU only.

    Landmarks: ``dlib5`` from dlib's 5-point predictor, ``five`` from its 68-point one. Both
    predictors come with the package face-recognition-models.
    """

    name = "dlib_hog"

    def __init__(self, *, upsample: int = 1, threshold: float = 0.0) -> None:
        """Settings only; the models are loaded at first use.

        Args:
            upsample: how often the image is doubled before the search. dlib's window is 80
                pixels wide, so 0 finds faces from about 80 pixels, 1 from about 40, 2 from 20.
            threshold: detections must score above this; negative accepts weaker ones.

        Raises:
            InputError: upsample outside 0 … 4 (each step quadruples memory and time).
        """
        if not 0 <= upsample <= 4:
            raise InputError(f"detector.upsample={upsample} is out of range; use 0 to 4")
        self._upsample = upsample
        self._threshold = threshold
        self._own = threading.local()

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """The faces on each image, highest score first, with both landmark sets."""
        return [self._faces(image) for image in images]

    def identity(self) -> Mapping[str, Any]:
        """Settings, dlib's version and the SHA-256 of both predictors."""
        return {
            "name": self.name,
            "upsample": self._upsample,
            "threshold": self._threshold,
            "dlib": str(import_dlib().__version__),
            "five_points": model_digest(FIVE_POINTS),
            "sixty_eight_points": model_digest(SIXTY_EIGHT_POINTS),
        }

    def __reduce__(self) -> tuple[Any, ...]:
        """Settings only: each process loads models of its own."""
        return partial(type(self), upsample=self._upsample, threshold=self._threshold), ()

    def _faces(self, image: Image) -> list[Detection]:
        pixels = np.ascontiguousarray(image)
        boxes, scores, _ = self._search().run(pixels, self._upsample, self._threshold)
        ranked = sorted(zip(scores, boxes, strict=True), key=lambda pair: -pair[0])
        return [self._described(pixels, box, float(score)) for score, box in ranked]

    def _described(self, pixels: Image, box: Any, score: float) -> Detection:
        five, many = self._predictors
        all_points = _points(many(pixels, box))
        return Detection(
            box=np.array([box.left(), box.top(), box.right(), box.bottom()], np.float32),
            confidence=score,
            landmarks={"dlib5": _points(five(pixels, box)), "five": five_of_68(all_points)},
        )

    def _search(self) -> Any:
        """The detector of this thread: dlib's keeps the image's pyramid inside the object."""
        if not hasattr(self._own, "search"):
            self._own.search = import_dlib().get_frontal_face_detector()
        return self._own.search

    @cached_property
    def _predictors(self) -> tuple[Any, Any]:
        dlib = import_dlib()
        return (
            dlib.shape_predictor(str(model_file(FIVE_POINTS))),
            dlib.shape_predictor(str(model_file(SIXTY_EIGHT_POINTS))),
        )


def _points(shape: Any) -> Float32s:
    return np.array([(point.x, point.y) for point in shape.parts()], dtype=np.float32)

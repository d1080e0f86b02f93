"""``matcher=dlib``: the 128-number face descriptor of dlib's ResNet, with its published weights."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from frbench.dlib_files import RECOGNITION, import_dlib, model_digest
from frbench.dlib_worker import CHIP, DlibWorkers, descriptors, load
from frbench.errors import InputError
from frbench.matchers import Faces, Preprocess
from frbench.values import Float32s

_WORTH_A_PROCESS = 4


class DlibMatcher:
    """dlib's ``face_recognition_model_v1``; 99.38 % on LFW by its author, with jittered copies.

    CPU only. The network sees each face by itself, so batches change nothing.
    """

    name = "dlib"
    default_detector = "dlib_hog"
    batch_invariant = True
    training_data = ("dlib-2017",)
    preprocess = Preprocess(
        input_size=CHIP,
        alignment="dlib_chip",
        licence="CC0 1.0 (weights, by Davis King); training sets for research",
        source="package face-recognition-models, dlib_face_recognition_resnet_model_v1.dat",
    )

    def __init__(self, *, jitter: int = 0, workers: int | None = None) -> None:
        """Settings only; the network is loaded at first use.

        Args:
            jitter: average this many slightly shifted, turned and scaled copies of each face;
                0 takes the face as it is. Costs as many times the work.
            workers: processes to compute in; None takes one per core.

        Raises:
            InputError: a setting out of range.
        """
        if jitter < 0:
            raise InputError(f"matcher.jitter={jitter} is out of range; use 0 or more")
        if workers is not None and workers < 1:
            raise InputError(f"matcher.workers={workers} is out of range; use 1 or more")
        self._jitter = jitter
        self._workers = DlibWorkers(workers or _cores(), jitter)
        self._model: Any = None

    def embed(self, faces: Faces) -> Float32s:
        """float32 (b, 128), length about 1.4, from uint8 (b, 150, 150, 3) RGB.

        Raises:
            InputError: dlib or its models are not installed, or the faces have another shape.
        """
        if faces.shape[1:] != (CHIP, CHIP, 3):
            raise InputError(f"matcher dlib wants faces of {CHIP} x {CHIP}, not {faces.shape[1:]}")
        import_dlib()
        if len(faces) >= _WORTH_A_PROCESS:
            return self._workers.describe(faces).astype(np.float32)
        if self._model is None:
            self._model = load()
        return descriptors(faces, self._model, self._jitter).astype(np.float32)

    def identity(self) -> Mapping[str, Any]:
        """SHA-256 of the weights, dlib's version, jitter. Raises InputError without dlib."""
        return {
            "name": self.name,
            "weights": model_digest(RECOGNITION),
            "dlib": str(import_dlib().__version__),
            "jitter": self._jitter,
        }


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

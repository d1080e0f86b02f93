"""Small sets of real image files and a small real network, for tests of the embedding stage."""

from __future__ import annotations

import hashlib
import os
import signal
import time

import numpy as np
import pandas as pd
from PIL import Image as Pillow

from frbench.detectors.precropped import PrecroppedDetector
from frbench.matchers import Preprocess
from frbench.values import FaceSet


def picture(seed, size=(24, 20)):
    """A smooth random picture, uint8 (H, W, 3)."""
    rng = np.random.default_rng(seed)
    coarse = Pillow.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    return np.asarray(coarse.resize(size, Pillow.Resampling.BICUBIC))


def face_set(root, count=7, start=0):
    """``count`` PNG files below the root and the set of them."""
    paths = [f"{number}.png" for number in range(start, start + count)]
    for number, path in enumerate(paths, start):
        if not (root / path).exists():
            Pillow.fromarray(picture(number)).save(root / path)
    return faces_of(root, paths)


def faces_of(root, paths):
    """The set of these files, each of another person."""
    frame = pd.DataFrame({"image_id": paths, "subject_id": paths, "path": paths}, dtype="str")
    return FaceSet("small", "1", root, frame)


class SmallMatcher:
    """A network of two layers whose weights are read from a file; numpy, so that it starts fast."""

    name = "small"

    def __init__(self, weights, *, size=16, kill_after=None):
        self.preprocess = Preprocess(input_size=size, alignment="box")
        self.calls = 0
        self.shapes = []
        self._weights = weights
        self._kill_after = kill_after

    def embed(self, faces):
        """float32 (b, 6)."""
        self.calls += 1
        self.shapes.append(faces.shape)
        if self._kill_after is not None and self.calls > self._kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
        side = faces.shape[1] // 4 * 4
        blocks = faces[:, :side, :side].reshape(len(faces), side // 4, 4, side // 4, 4, 3)
        pooled = blocks.mean(axis=(2, 4), dtype=np.float32).reshape(len(faces), -1) / 127.5 - 1
        weights = np.load(self._weights)
        hidden = np.tanh(pooled @ weights[: 48 * 24].reshape(48, 24))
        return hidden @ weights[48 * 24 :].reshape(24, 6)

    def identity(self):
        """The weights' bytes."""
        return {"weights": hashlib.sha256(self._weights.read_bytes()).hexdigest()}


def weights_file(folder, seed=0):
    """Random weights for a SmallMatcher."""
    path = folder / f"weights{seed}.npy"
    weights = np.random.default_rng(seed).normal(size=48 * 24 + 24 * 6) / 5
    np.save(path, weights.astype(np.float32))
    return path


class RowByRow(SmallMatcher):
    """The same network, one face at a time, so that no batch can change a bit."""

    batch_invariant = True

    def embed(self, faces):
        """float32 (b, 6)."""
        return np.concatenate([super(RowByRow, self).embed(face[None]) for face in faces])


class SlowDetector(PrecroppedDetector):
    """Takes its time over each image, as a search does."""

    name = "slow"

    def __init__(self, seconds):
        self._seconds = seconds

    def detect(self, images):
        """The whole image, later."""
        time.sleep(self._seconds * len(images))
        return super().detect(images)


class KilledDetector(PrecroppedDetector):
    """Ends its process without a word at one image, as the kernel does where memory runs out."""

    name = "killed"

    def __init__(self, size):
        self._size = size

    def detect(self, images):
        """The whole image; no answer for those of the fatal size."""
        if any(image.shape[:2] == self._size for image in images):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().detect(images)

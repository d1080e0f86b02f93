"""Image files to crops, in threads and in order: read, hash, decode, find the face, align it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from frbench.alignment import align
from frbench.choosing import Choice, choose_face
from frbench.detectors import Detector
from frbench.digests import digest_bytes
from frbench.errors import InputError
from frbench.imaging import UnreadableImage, check_header, decode, quiet_decoding, read_image
from frbench.matchers import Preprocess
from frbench.values import FaceSet

Crop = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Prepared:
    """What became of one file: a crop to embed, or an end.

    Attributes:
        digest: SHA-256 of the bytes, "" where they could not be read.
        crop: uint8 (S, S, 3), or None.
        failure: why there is no crop although the file is an image; a failure to enrol.
        unreadable: why the file is no image.
    """

    digest: str
    crop: Crop | None = None
    failure: str = ""
    unreadable: str = ""


@dataclass(frozen=True)
class Preparation:
    """How one image is made ready for one matcher.

    Attributes:
        detector: finds the faces.
        choice: which of them counts.
        preprocess: the crop that the matcher wants.
        known: whether the content with this SHA-256 needs no crop, since its template exists.
    """

    detector: Detector
    choice: Choice
    preprocess: Preprocess
    known: Callable[[str], bool]

    def of_file(self, path: Path) -> Prepared:
        """Never raises for a bad file; raises InputError where a setting cannot work at all."""
        try:
            data = read_image(path)
        except UnreadableImage as error:
            return Prepared("", unreadable=str(error))
        digest = digest_bytes(data)
        if self.known(digest):
            return Prepared(digest)
        try:
            image = decode(data)
        except UnreadableImage as error:
            return Prepared(digest, unreadable=str(error))
        found = self.detector.detect([image])[0]
        face = choose_face(found, (image.shape[1], image.shape[0]), self.choice)
        if isinstance(face, str):
            return Prepared(digest, failure=face)
        return Prepared(digest, crop=align(image, face, self.preprocess))


def prepared_files(
    paths: Sequence[Path], preparation: Preparation, *, ahead: int
) -> Generator[Prepared, None, None]:
    """The files in the order given, worked on by all cores, at most ``ahead`` before they are
    asked for, so that memory does not grow with the set. Close the iterator to stop early."""
    queue: deque[Future[Prepared]] = deque()
    with quiet_decoding(), ThreadPoolExecutor(_cores()) as pool:
        try:
            for path in paths:
                queue.append(pool.submit(preparation.of_file, path))
                if len(queue) > ahead:
                    yield queue.popleft().result()
            while queue:
                yield queue.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def check_images(faces: FaceSet) -> None:
    """Raise InputError listing every image that is absent, empty or in no known format.

    Only headers are read, so damage further inside shows when the images are embedded.
    """
    problems = []
    with quiet_decoding():
        for path in faces.faces["path"]:
            try:
                check_header(faces.root / path)
            except UnreadableImage as error:
                problems.append(f"{path}: {error}")
    if problems:
        raise InputError.listing(
            f"{len(problems)} of {len(faces.faces)} images below {faces.root} cannot be used; "
            "mend or remove them:",
            problems,
        )


def _cores() -> int:
    """Cores that this process may use, which in a container can be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

"""One image file to one crop, or the reason why not: read, hash, decode, find the face, align it.

``prefetching`` runs this ahead of the matcher, in threads or in processes of their own.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from frbench.alignment import align
from frbench.choosing import Choice, choose_face
from frbench.detectors import Detection, Detector, Image
from frbench.digests import digest_bytes, digest_of
from frbench.errors import InputError
from frbench.imaging import UnreadableImage, check_header, decode, quiet_decoding, read_image
from frbench.matchers import Preprocess
from frbench.values import FaceSet

Crop = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Source:
    """One image file and what the set calls it.

    Attributes:
        path: where it is.
        names: what a list of landmarks may call it: its ``image_id`` and its path in the set.
    """

    path: Path
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """What became of one file: a crop to embed, or an end.

    Attributes:
        digest: SHA-256 of the bytes (with the landmarks, where a file lists them), "" where
            they could not be read.
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
    """How images are made ready for one matcher.

    Attributes:
        detector: finds the faces.
        choice: which of them counts.
        preprocess: the crop that the matcher wants.
        known: digests of contents that need no crop, since their templates exist.
        aligned_already: every image should be a square crop, aligned as the matcher wants it.
    """

    detector: Detector
    choice: Choice
    preprocess: Preprocess
    known: Container[str]

    aligned_already: bool = False

    @property
    def together(self) -> int:
        """How many images the detector looks at in one go."""
        return int(getattr(self.detector, "batch", 1))

    def of_files(self, sources: Sequence[Source]) -> list[Prepared]:
        """One outcome a file, in their order.

        Never raises for a bad file; raises InputError where a setting cannot work at all. Where
        the detector looks at several images in one go it sees them all or none of them, since a
        neighbour can move a box by a rounding error, and a resumed run must see the same.
        """
        read = [self._read(source) for source in sources]
        outcomes = [each if isinstance(each, Prepared) else Prepared(each[0]) for each in read]
        wanted = {
            place
            for place, each in enumerate(outcomes)
            if not each.unreadable and each.digest not in self.known
        }
        looked_at = range(len(read)) if wanted and self.together > 1 else sorted(wanted)
        images: dict[int, Image] = {}
        for place in looked_at:
            each = read[place]
            if isinstance(each, Prepared):
                continue
            try:
                images[place] = decode(each[1])
            except UnreadableImage as error:
                outcomes[place] = Prepared(each[0], unreadable=str(error))
        found = self._detect(list(images.values()), [sources[place] for place in images])
        for (place, image), faces in zip(images.items(), found, strict=True):
            if place in wanted:
                outcomes[place] = self._crop(outcomes[place].digest, image, faces)
        return outcomes

    def _read(self, source: Source) -> Prepared | tuple[str, bytes]:
        try:
            data = read_image(source.path)
        except UnreadableImage as error:
            return Prepared("", unreadable=str(error))
        digest = digest_bytes(data)
        if hasattr(self.detector, "listed"):
            # the same picture under two names may have two faces listed
            digest = digest_of({"image": digest, "listed": self.detector.listed(source.names)})
        return digest, data

    def _detect(self, images: Sequence[Image], sources: Sequence[Source]) -> list[list[Detection]]:
        if not images:
            return []
        if hasattr(self.detector, "look_up"):
            return [
                self.detector.look_up(source.names, image)
                for source, image in zip(sources, images, strict=True)
            ]
        return self.detector.detect(images)

    def _crop(self, digest: str, image: Image, found: Sequence[Detection]) -> Prepared:
        height, width = image.shape[:2]
        if self.aligned_already and height != width:
            reason = f"{width} x {height} pixels is no aligned crop, which is square"
            return Prepared(digest, failure=reason)
        face = choose_face(found, (width, height), self.choice)
        if isinstance(face, str):
            return Prepared(digest, failure=face)
        return Prepared(digest, crop=align(image, face, self.preprocess))


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

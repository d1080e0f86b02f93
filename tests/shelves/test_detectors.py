"""The detectors on real photographs, and what each does where there is no face."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from PIL import Image as Pillow

from frbench.alignment import TEMPLATE_112, similarity
from frbench.detectors.dlib_hog import DlibHogDetector
from frbench.detectors.mtcnn import MtcnnDetector
from frbench.detectors.precropped import PrecroppedDetector
from frbench.errors import InputError
from real_photographs import SHARED, needs

FRONTAL = ("001", "004")


@pytest.fixture(scope="module")
def detectors():
    """Each detector that searches, loaded once."""
    pytest.importorskip("dlib")
    return {"dlib_hog": DlibHogDetector(), "mtcnn": MtcnnDetector()}


def photograph(person):
    """One frontal photograph of the London set."""
    path = SHARED / "frll" / "neutral_front" / f"{person}_03.jpg"
    return np.asarray(Pillow.open(path).convert("RGB"))


def test_the_whole_image_is_the_face():
    """Precropped: one box around each image, whatever is on it."""
    images = [np.zeros((30, 20, 3), np.uint8), np.ones((5, 5, 3), np.uint8)]
    boxes = [found[0].box.tolist() for found in PrecroppedDetector().detect(images)]
    assert boxes == [[0, 0, 20, 30], [0, 0, 5, 5]]


@pytest.mark.parametrize("name", ["dlib_hog", "mtcnn"])
def test_no_face_is_an_empty_list(detectors, name):
    """Plain, noisy, narrow and tiny images have no face and raise nothing."""
    rng = np.random.default_rng(4)
    images = [
        np.full((160, 160, 3), 127, np.uint8),
        rng.integers(0, 256, (120, 90, 3), dtype=np.uint8),
        np.zeros((300, 12, 3), np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((20, 20, 3), np.uint8),
    ]
    assert detectors[name].detect(images) == [[], [], [], [], []]


@needs("frll")
@pytest.mark.parametrize("name", ["dlib_hog", "mtcnn"])
def test_landmarks_lie_where_a_face_has_them(detectors, name):
    """One face a photograph; its five points fit the template upright within a tenth of a face."""
    for person in FRONTAL:
        image = photograph(person)
        found = detectors[name].detect([image])[0]
        assert len(found) == 1
        five = found[0].landmarks["five"]
        assert five.dtype == np.float32
        fitted = similarity(five.astype(float), TEMPLATE_112)
        placed = five @ fitted[:, :2].T + fitted[:, 2]
        assert np.abs(placed - TEMPLATE_112).max() < 11
        assert abs(np.degrees(np.arctan2(fitted[1, 0], fitted[0, 0]))) < 15


@needs("frll")
def test_the_detectors_agree_on_the_points(detectors):
    """Two unrelated methods put the five points within a twelfth of the eye distance's double."""
    for person in FRONTAL:
        image = photograph(person)
        one = detectors["dlib_hog"].detect([image])[0][0].landmarks["five"]
        other = detectors["mtcnn"].detect([image])[0][0].landmarks["five"]
        between_eyes = np.linalg.norm(one[1] - one[0])
        assert np.linalg.norm(one - other, axis=1).max() < between_eyes / 5


@needs("frll")
@pytest.mark.parametrize("name", ["dlib_hog", "mtcnn"])
def test_several_faces_come_surest_first(detectors, name):
    """Two photographs side by side hold two faces, ordered by confidence, the same in a list."""
    pair = np.concatenate([photograph("001"), photograph("004")], axis=1)
    found = detectors[name].detect([pair])[0]
    assert len(found) == 2
    assert found[0].confidence >= found[1].confidence
    again = detectors[name].detect([photograph("010"), pair])[1]
    assert [face.box.tolist() for face in again] == [face.box.tolist() for face in found]


@needs("frll")
def test_threads_do_not_disturb_each_other():
    """Four threads on one dlib detector find what one thread finds."""
    pytest.importorskip("dlib")
    detector = DlibHogDetector(upsample=0)
    images = [photograph(person) for person in ("001", "004", "010")]
    expected = [found[0].box.tolist() for found in detector.detect(images)]
    seen = {}

    def work(number):
        seen[number] = [found[0].box.tolist() for found in detector.detect(images)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == dict.fromkeys(range(4), expected)


@needs("frll")
def test_upsampling_finds_smaller_faces():
    """A face of about 45 pixels is found after doubling the image, and not before."""
    pytest.importorskip("dlib")
    small = np.asarray(Pillow.fromarray(photograph("001")).resize((110, 110)))
    assert DlibHogDetector(upsample=0).detect([small]) == [[]]
    assert len(DlibHogDetector(upsample=1).detect([small])[0]) == 1


@needs("frll")
def test_a_confidence_floor_leaves_faces_out():
    """min_confidence above every probability leaves none."""
    assert MtcnnDetector(min_confidence=1.1).detect([photograph("001")]) == [[]]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DlibHogDetector(upsample=9), "detector.upsample=9"),
        (lambda: MtcnnDetector(thresholds=(0.5, 0.5)), "detector.thresholds"),
        (lambda: MtcnnDetector(thresholds=(0.5, 0.5, 2)), "detector.thresholds"),
        (lambda: MtcnnDetector(min_face_size=2), "detector.min_face_size=2"),
        (lambda: MtcnnDetector(factor=1.0), "detector.factor=1.0"),
    ],
)
def test_settings_out_of_range(make, words):
    """Refused on construction, before any work."""
    with pytest.raises(InputError, match=words):
        make()


def test_identity_names_every_setting(detectors):
    """Two detectors that can find differently never share an identity."""
    identities = [
        detectors["dlib_hog"].identity(),
        DlibHogDetector(upsample=0).identity(),
        DlibHogDetector(threshold=0.5).identity(),
        detectors["mtcnn"].identity(),
        MtcnnDetector(min_face_size=40).identity(),
        MtcnnDetector(thresholds=(0.5, 0.7, 0.7)).identity(),
        MtcnnDetector(factor=0.8).identity(),
        MtcnnDetector(min_confidence=0.9).identity(),
        PrecroppedDetector().identity(),
    ]
    assert all(a != b for n, a in enumerate(identities) for b in identities[:n])
    assert len(detectors["mtcnn"].identity()["weights"]["onet.pt"]) == 64

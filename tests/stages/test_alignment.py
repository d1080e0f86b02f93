"""Crops: closed forms, the packages' own crops, and pictures whose right answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from facenet_pytorch.models.utils.detect_face import extract_face
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from frbench.alignment import TEMPLATE_112, align, similarity
from frbench.choosing import choose_face
from frbench.detectors import Detection
from frbench.errors import InputError
from frbench.matchers import Preprocess

FIVE = Preprocess(input_size=112, alignment="five_point")


def turned(scale, degrees, shift):
    """A similarity as matrix [2, 3]."""
    angle = np.radians(degrees)
    rotation = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return np.column_stack([scale * np.array(rotation), shift])


def applied(transform, points):
    """The points after the transform."""
    return points @ transform[:, :2].T + transform[:, 2]


def ramp(width, height):
    """A picture that says where each pixel is: red its x, green its y, doubled blue the sum."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([x, y, (x + y) / 2], axis=-1).astype(np.uint8)


@settings(deadline=None)
@given(
    st.floats(0.2, 5), st.floats(-180, 180), st.floats(-200, 200), st.floats(-200, 200)
)  # fmt: skip
def test_similarity_finds_what_was_applied(scale, degrees, x, y):
    """Any scale, turn and shift is recovered exactly."""
    planted = turned(scale, degrees, [x, y])
    np.testing.assert_allclose(
        similarity(TEMPLATE_112, applied(planted, TEMPLATE_112)), planted, atol=1e-8
    )


def test_similarity_is_the_least_squares_one():
    """On noisy points no nearby similarity is closer, and none mirrors."""
    rng = np.random.default_rng(3)
    target = applied(turned(1.3, 20, [5, -4]), TEMPLATE_112) + rng.normal(0, 4, (5, 2))
    best = similarity(TEMPLATE_112, target)
    cost = ((applied(best, TEMPLATE_112) - target) ** 2).sum()
    x, y = TEMPLATE_112.T
    # the same problem as an ordinary least-squares one in (a, b, shift)
    rows = np.concatenate(
        [np.column_stack([x, -y, np.ones(5), np.zeros(5)]),
         np.column_stack([y, x, np.zeros(5), np.ones(5)])]
    )  # fmt: skip
    solved, residual, *_ = np.linalg.lstsq(rows, np.concatenate([target[:, 0], target[:, 1]]))
    np.testing.assert_allclose([best[0, 0], best[1, 0], *best[:, 2]], solved, atol=1e-9)
    np.testing.assert_allclose(cost, residual[0])
    mirrored = TEMPLATE_112 * [-1, 1]
    assert np.linalg.det(similarity(TEMPLATE_112, mirrored)[:, :2]) > 0
    with pytest.raises(ValueError, match="coincide"):
        similarity(np.ones((5, 2)), TEMPLATE_112)


def test_a_face_on_the_template_is_left_alone():
    """Landmarks that are the template already give the picture back, pixel for pixel."""
    image = ramp(112, 112)
    face = Detection(np.zeros(4, np.float32), 1.0, {"five": TEMPLATE_112.astype(np.float32)})
    np.testing.assert_array_equal(align(image, face, FIVE), image)


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7])
def test_pixels_come_from_where_the_transform_says(scale):
    """On a ramp every pixel of the crop tells its origin, to half a grey level and no offset."""
    planted = turned(scale, 12, [70 - 56 * scale, 60 - 56 * scale])
    image = ramp(250, 250)
    five = applied(planted, TEMPLATE_112).astype(np.float32)
    crop = align(image, Detection(np.zeros(4, np.float32), 1.0, {"five": five}), FIVE)
    grid = np.stack(np.meshgrid(np.arange(112), np.arange(112)), axis=-1).reshape(-1, 2)
    origin = applied(planted, grid)
    inside = ((origin > 3) & (origin < 246)).all(axis=1)
    seen = crop.reshape(-1, 3)[:, :2].astype(float)
    error = (seen - origin)[inside]
    assert inside.sum() > 5000
    assert np.abs(error).max() < 1.1
    assert np.abs(error.mean(axis=0)).max() < 0.05


def test_large_faces_are_shrunk_without_grain():
    """A checkerboard finer than the crop's pixels becomes an even grey."""
    board = (np.indices((896, 896)).sum(axis=0) % 2 * 255).astype(np.uint8)
    image = np.repeat(board[..., None], 3, axis=2)
    five = (TEMPLATE_112 * 8).astype(np.float32)
    crop = align(image, Detection(np.zeros(4, np.float32), 1.0, {"five": five}), FIVE)
    assert np.ptp(crop[4:-4, 4:-4].astype(int)) <= 3


@settings(deadline=None, max_examples=40)
@given(
    st.floats(-30, 150), st.floats(-30, 100), st.floats(12, 160), st.floats(12, 160),
    st.integers(0, 60),
)  # fmt: skip
def test_box_crops_are_facenet_pytorch_own(x, y, width, height, margin):
    """Margin, clipping at the border and filter agree with the package pixel for pixel."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (170, 210, 3), dtype=np.uint8)
    box = np.array([x, y, x + width, y + height], dtype=np.float32)
    if not (box[2] > 2 and box[3] > 2 and box[0] < 205 and box[1] < 165):
        return
    wanted = extract_face(Pillow.fromarray(image), box, 160, margin)
    preprocess = Preprocess(input_size=160, alignment="box", margin=margin)
    found = align(image, Detection(box, 1.0), preprocess)
    np.testing.assert_array_equal(found, wanted.permute(1, 2, 0).numpy().astype(np.uint8))


def test_dlib_chips_are_dlib_own():
    """The chip from our points is the chip from dlib's own shape."""
    dlib = pytest.importorskip("dlib")
    image = np.random.default_rng(1).integers(0, 256, (200, 220, 3), dtype=np.uint8)
    points = [(141, 112), (127, 115), (86, 120), (98, 117), (113, 143)]
    shape = dlib.full_object_detection(
        dlib.rectangle(60, 70, 160, 170), [dlib.point(*point) for point in points]
    )
    face = Detection(np.array([60, 70, 160, 170], np.float32), 1.0, {"dlib5": np.float32(points)})
    found = align(image, face, Preprocess(input_size=150, alignment="dlib_chip"))
    np.testing.assert_array_equal(found, dlib.get_face_chip(image, shape, 150, 0.25))


def test_no_alignment_is_a_resize():
    """The whole image at the matcher's size, or as it is where it fits."""
    image = ramp(60, 40)
    face = Detection(np.array([0, 0, 60, 40], np.float32), 1.0)
    assert align(image, face, Preprocess(input_size=32, alignment="none")).shape == (32, 32, 3)
    square = ramp(50, 50)
    kept = align(square, face, Preprocess(input_size=50, alignment="none"))
    np.testing.assert_array_equal(kept, square)


def test_missing_landmarks_are_a_sentence():
    """It names the landmarks and the detectors that give them."""
    face = Detection(np.array([0, 0, 9, 9], np.float32), 1.0)
    with pytest.raises(InputError, match="'dlib5'"):
        align(ramp(9, 9), face, Preprocess(input_size=150, alignment="dlib_chip"))
    with pytest.raises(InputError, match="interpolation"):
        align(ramp(9, 9), face, Preprocess(input_size=9, alignment="none", interpolation="magic"))


def test_which_face_counts():
    """Each policy on three faces; ties go to the first; several are too many for 'only'."""
    large = Detection(np.array([0, 0, 50, 50], np.float32), 0.5)
    central = Detection(np.array([45, 45, 56, 56], np.float32), 0.7)
    sure = Detection(np.array([80, 80, 95, 95], np.float32), 0.9)
    found = [large, central, sure]
    size = (100, 100)
    assert choose_face(found, size, "largest") is large
    assert choose_face(found, size, "most_central") is central
    assert choose_face(found, size, "most_confident") is sure
    assert choose_face(found, size, "only") == "3 faces found, one wanted"
    assert choose_face([sure], size, "only") is sure
    assert choose_face([], size, "largest") == "no face found"
    twin = Detection(large.box.copy(), 0.5)
    assert choose_face([large, twin], size, "largest") is large

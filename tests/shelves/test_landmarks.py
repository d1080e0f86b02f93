"""Landmarks from a file, and which of several faces counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image as Pillow

from embedding_worlds import RowByRow, face_set, faces_of, picture, weights_file
from frbench.alignment import TEMPLATE_112, align
from frbench.choosing import choose_face
from frbench.detectors import Detection
from frbench.detectors.dlib_hog import DlibHogDetector
from frbench.detectors.landmarks import LandmarksDetector
from frbench.detectors.mtcnn import MtcnnDetector
from frbench.detectors.precropped import PrecroppedDetector
from frbench.embedding import embed
from frbench.errors import InputError
from frbench.landmark_schemes import dlib5_of_68, five_of_68
from frbench.left_out import failures, without_left_out
from frbench.matchers import Preprocess
from real_photographs import SHARED, needs

NUMBERED = [f"{axis}{number}" for number in range(1, 6) for axis in "xy"]
NAMED = [
    f"{name}_{axis}"
    for name in ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
    for axis in "xy"
]
BOX = ["box_x0", "box_y0", "box_x1", "box_y1"]
FIVE = (TEMPLATE_112 / 112 * 20).round(3)


def listed(folder, rows, *, name="points.csv"):
    """A detector that reads these rows."""
    table = pd.DataFrame(rows)
    path = folder / name
    if path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False)
    return LandmarksDetector(path=str(path))


def row(image, points=FIVE, columns=NUMBERED, key="path", **more):
    """One line of the file."""
    return {key: image, **dict(zip(columns, np.ravel(points), strict=True)), **more}


@pytest.mark.parametrize("columns", [NUMBERED, NAMED])
@pytest.mark.parametrize("name", ["points.csv", "points.parquet"])
@pytest.mark.parametrize("key", ["path", "image_id"])
def test_both_ways_of_naming_points_in_both_formats(tmp_path, columns, name, key):
    """The points come back as they stand, found by path or by image_id."""
    detector = listed(tmp_path, [row("a", FIVE + 1, columns, key), row("b", FIVE, columns, key)],
                      name=name)  # fmt: skip
    image = np.zeros((24, 24, 3), np.uint8)
    names = ("other", "a") if key == "path" else ("a", "other")
    (face,) = detector.look_up(names, image)
    np.testing.assert_allclose(face.landmarks["five"], FIVE + 1, atol=1e-5)
    assert np.isnan(face.box).all()


def test_the_crop_is_the_one_that_the_points_ask_for(tmp_path):
    """Through the whole stage: the template of the crop that align makes by hand."""
    root = tmp_path / "images"
    root.mkdir()
    faces = face_set(root, 3)
    detector = listed(tmp_path, [row("2.png", FIVE + 2), row("0.png"), row("1.png", FIVE - 1)])
    matcher = RowByRow(weights_file(tmp_path))
    matcher.preprocess = Preprocess(16, "five_point")
    found = embed(faces, detector, matcher)
    for number, points in enumerate([FIVE, FIVE - 1, FIVE + 2]):
        face = Detection(np.zeros(4, np.float32), 1.0, {"five": points.astype(np.float32)})
        raw = matcher.embed(align(picture(number), face, matcher.preprocess)[None])[0]
        np.testing.assert_allclose(found.vectors[number], raw / np.linalg.norm(raw), atol=1e-6)


def test_one_picture_under_two_names_may_have_two_faces(tmp_path):
    """The cache key holds the landmarks: neither gets the other's template, now or later."""
    root = tmp_path / "images"
    root.mkdir()
    face_set(root, 1)
    (root / "copy.png").write_bytes((root / "0.png").read_bytes())
    faces = faces_of(root, ["0.png", "copy.png"])
    detector = listed(tmp_path, [row("0.png"), row("copy.png", FIVE[:, ::-1])])
    matcher = RowByRow(weights_file(tmp_path))
    matcher.preprocess = Preprocess(16, "five_point")
    first = embed(faces, detector, matcher, cache=tmp_path / "cache")
    assert (first.vectors[0] != first.vectors[1]).any()
    calls = matcher.calls
    again = embed(faces, detector, matcher, cache=tmp_path / "cache")
    assert (again.vectors == first.vectors).all()
    assert matcher.calls == calls


def test_blank_rows_absent_rows_and_points_outside_are_failures(tmp_path):
    """Each is a failure to enrol of that image alone, counted by group and reason."""
    root = tmp_path / "images"
    root.mkdir()
    faces = face_set(root, 4)
    faces.faces["group"] = pd.Categorical(["f", "f", "m", "f"])
    blank = {"path": "1.png", **dict.fromkeys(NUMBERED, "")}
    detector = listed(tmp_path, [row("0.png"), blank, row("3.png", FIVE + 500)])
    matcher = RowByRow(weights_file(tmp_path))
    matcher.preprocess = Preprocess(16, "five_point")
    found = embed(faces, detector, matcher)
    assert found.enrolled.tolist() == [True, False, False, False]
    assert failures(faces, found) == [
        {"group": "f", "reason": "no face found", "images": 2},
        {"group": "m", "reason": "no face found", "images": 1},
    ]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"path": "a", "x1": 1}], "no landmarks: give x1"),
        ([{"file": "a", **dict.fromkeys(NUMBERED, 1)}], "no column image_id or path"),
        ([row("a"), row("b", [*FIVE.ravel()[:9], "east"])], r"row 2 \(line 3\), y5: 'east'"),
        ([row("a"), row("b", [*FIVE.ravel()[:9], ""])], "some coordinates are blank"),
        ([row("a", np.ones(10))], "all points coincide"),
        ([row("a", box_x0=5, box_y0=5, box_x1=1, box_y1=9)], "the box has no area"),
        ([row("")], "path is blank"),
        ([row("elsewhere/a.png")], "lists none of the set's 1 images"),
    ],
)
def test_faulty_files_are_refused_before_any_work(tmp_path, rows, words):
    """One sentence with file, row and column."""
    with pytest.raises(InputError, match=words) as caught:
        listed(tmp_path, rows).expect([("a", "a")])
    assert "points.csv" in str(caught.value)


def test_a_box_alone_serves_matchers_that_crop_by_it(tmp_path):
    """And points alone are refused by them with the columns to add."""
    image = picture(0, (40, 40))
    boxed = listed(tmp_path, [{"path": "a", **dict(zip(BOX, (4, 6, 30, 36), strict=True))}])
    (face,) = boxed.look_up(("a",), image)
    expected = np.asarray(Pillow.fromarray(image).crop((4, 6, 30, 36)).resize((16, 16), 2))
    assert (align(image, face, Preprocess(16, "box")) == expected).all()
    (pointed,) = listed(tmp_path, [row("a")]).look_up(("a",), image)
    with pytest.raises(InputError, match="box_x0"):
        align(image, pointed, Preprocess(16, "box"))
    with pytest.raises(InputError, match="landmarks gives what its file has"):
        align(image, face, Preprocess(16, "five_point"))


@needs("frll")
def test_the_68_points_give_what_dlib_gives(tmp_path):
    """dlib's own 68 points in a file: the same 'five', and its five within a few pixels."""
    pytest.importorskip("dlib")
    image = np.asarray(Pillow.open(SHARED / "frll" / "neutral_front" / "004_03.jpg").convert("RGB"))
    detector = DlibHogDetector()
    (face,) = detector.detect([image])[0]
    import dlib

    many = detector._predictors[1](image, dlib.rectangle(*(int(edge) for edge in face.box)))
    points = np.array([(point.x, point.y) for point in many.parts()], dtype=np.float32)
    assert (five_of_68(points) == face.landmarks["five"]).all()
    assert np.abs(dlib5_of_68(points) - face.landmarks["dlib5"]).max() < 12
    columns = [f"{axis}{number}" for number in range(1, 69) for axis in "xy"]
    (read,) = listed(tmp_path, [row("a", points, columns)]).look_up(("a",), image)
    assert (read.landmarks["five"] == face.landmarks["five"]).all()
    assert set(read.landmarks) == {"five", "dlib5"}


def boxes(*edges):
    """Faces with these boxes, the first the surest."""
    return [
        Detection(np.array(each, np.float32), 1.0 - place / 10) for place, each in enumerate(edges)
    ]


@pytest.mark.parametrize(
    ("choice", "chosen"),
    [
        ("most_confident", 0),
        ("largest", 1),
        ("most_central", 2),
        ("only", "3 faces found, one wanted"),
        ("skip", "left out: 3 faces found"),
    ],
)
def test_every_policy_for_several_faces(choice, chosen):
    """Small but sure in a corner, large at the edge, middling in the middle."""
    found = boxes((0, 0, 10, 10), (60, 0, 100, 40), (40, 40, 60, 60))
    answer = choose_face(found, (100, 100), choice)
    assert answer == chosen if isinstance(chosen, str) else answer is found[chosen]
    assert choose_face(found[:1], (100, 100), choice) is found[0]
    assert choose_face([], (100, 100), choice) == "no face found"


def test_skipping_leaves_the_image_out_for_every_matcher(tmp_path):
    """What one detector leaves out goes for all, with a count per group; failures stay in."""
    faces = face_set(tmp_path, 5)
    faces.faces["group"] = pd.Categorical(["f", "m", "f", "m", "m"])
    two = {
        name: [row(f"{n}.png") for n in range(5) if n != 4] + [row(f"{doubled}.png", FIVE + 1)]
        for name, doubled in (("one.csv", 0), ("other.csv", 3))
    }
    matcher = RowByRow(weights_file(tmp_path))
    matcher.preprocess = Preprocess(16, "five_point")
    templates = [
        embed(faces, listed(tmp_path, rows, name=name), matcher, choice="skip")
        for name, rows in two.items()
    ]
    kept = without_left_out(faces, templates)
    assert kept.faces["path"].tolist() == ["1.png", "2.png", "4.png"]
    assert kept.about["left_out"].endswith("(f: 1, m: 1)")
    assert without_left_out(kept, []) is kept


def test_a_crop_that_is_no_square_was_not_aligned(tmp_path):
    """An aligned crop of another size is resized; a whole photograph is a failure with a reason."""
    faces = face_set(tmp_path, 2)
    Pillow.fromarray(picture(1, (56, 56))).save(tmp_path / "1.png")
    matcher = RowByRow(weights_file(tmp_path))
    matcher.preprocess = Preprocess(16, "five_point")
    found = embed(faces, PrecroppedDetector(), matcher)
    assert found.enrolled.tolist() == [False, True]
    assert found.failure[0] == "24 x 20 pixels is no aligned crop, which is square"


@needs("frll")
def test_mtcnn_finds_the_same_faces_together_as_alone():
    """Six photographs of two sizes, two of them without a face, in one go and one by one."""
    pytest.importorskip("facenet_pytorch")
    people = [
        np.asarray(Pillow.open(SHARED / "frll" / "neutral_front" / f"{n}_03.jpg").convert("RGB"))
        for n in ("001", "004", "010")
    ]
    images = [*people, np.asarray(Pillow.fromarray(people[0]).resize((200, 200))),
              np.zeros_like(people[0]), np.zeros((8, 8, 3), np.uint8)]  # fmt: skip
    alone = MtcnnDetector().detect(images)
    together = MtcnnDetector(batch=4).detect(images)
    assert [len(found) for found in together] == [len(found) for found in alone] == [1] * 4 + [0, 0]
    for one, other in zip(alone[:4], together[:4], strict=True):
        np.testing.assert_allclose(one[0].box, other[0].box, atol=1e-2)
        np.testing.assert_allclose(one[0].landmarks["five"], other[0].landmarks["five"], atol=1e-2)
    assert MtcnnDetector().identity() != MtcnnDetector(batch=4).identity()
    assert "batch" not in MtcnnDetector().identity()

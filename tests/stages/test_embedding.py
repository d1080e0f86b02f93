"""The embedding stage: every image ends as a vector or a reason, and the cache never lies."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from embedding_worlds import SmallMatcher, face_set, faces_of, picture, weights_file
from frbench.alignment import align
from frbench.detectors import Detection
from frbench.detectors.dlib_hog import DlibHogDetector
from frbench.detectors.precropped import PrecroppedDetector
from frbench.embedding import check_images, embed, template_of
from frbench.errors import InputError
from frbench.matchers.dlib_resnet import DlibMatcher
from frbench.matchers.embeddings import StoredEmbeddings
from real_photographs import SHARED, needs

WHOLE = PrecroppedDetector()


@pytest.fixture
def root(tmp_path):
    """A folder for images."""
    folder = tmp_path / "images"
    folder.mkdir()
    return folder


@pytest.fixture
def small(tmp_path):
    """The small network."""
    return SmallMatcher(weights_file(tmp_path))


def same(one, other):
    """Whether two embedding sets agree byte for byte."""
    return (
        one.vectors.tobytes() == other.vectors.tobytes()
        and one.enrolled.tolist() == other.enrolled.tolist()
        and one.failure.tolist() == other.failure.tolist()
        and one.fingerprint == other.fingerprint
    )


def test_vectors_stand_in_the_order_of_the_set(root, small):
    """Each row is its own image's vector: network, unit length, float32, as computed by hand."""
    faces = face_set(root, 7)
    found = embed(faces, WHOLE, small, batch=3)
    assert found.image_id.tolist() == [f"{n}.png" for n in range(7)]
    assert found.vectors.dtype == np.float32
    assert found.enrolled.all()
    for number in range(7):
        whole = Detection(np.array([0, 0, 24, 20], np.float32), 1.0)
        crop = align(picture(number), whole, small.preprocess)
        raw = small.embed(np.stack([crop]))[0]
        np.testing.assert_allclose(found.vectors[number], raw / np.linalg.norm(raw), atol=1e-6)


def test_the_matcher_always_sees_one_size_of_batch(root, small):
    """The last batch is filled up, so that no network can round differently in it."""
    embed(face_set(root, 7), WHOLE, small, batch=3)
    assert [shape[0] for shape in small.shapes] == [3, 3, 3]


def test_a_second_run_is_the_first_byte_for_byte(root, small, tmp_path):
    """Served from the cache without asking the matcher, in this process or after."""
    faces, cache = face_set(root), tmp_path / "cache"
    first = embed(faces, WHOLE, small, cache=cache)
    calls = small.calls
    assert same(first, embed(faces, WHOLE, small, cache=cache))
    assert small.calls == calls
    assert same(first, embed(faces, WHOLE, small))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 11), unique=True, max_size=12), st.sampled_from([1, 2, 5]))
def test_what_was_cached_before_changes_nothing(tmp_path_factory, before, batch):
    """Whichever images an earlier run left in the cache, the vectors are the same bytes."""
    tmp_path = tmp_path_factory.mktemp("any")
    small = SmallMatcher(weights_file(tmp_path))
    everything = face_set(tmp_path, 12)
    fresh = embed(everything, WHOLE, small, batch=batch)
    cache = tmp_path / "cache"
    if before:
        part = faces_of(tmp_path, [f"{n}.png" for n in before])
        embed(part, WHOLE, small, batch=batch, cache=cache)
    assert same(fresh, embed(everything, WHOLE, small, batch=batch, cache=cache))


def test_a_changed_key_cannot_hit(root, tmp_path):
    """Other weights, crop, choice, detector or batch: the matcher is asked again."""
    faces, cache = face_set(root, 4), tmp_path / "cache"
    weights = weights_file(tmp_path)
    runs = {}

    def run(name, matcher, detector=WHOLE, **options):
        runs[name] = embed(faces, detector, matcher, cache=cache, **options)
        assert matcher.calls == 1, name

    run("first", SmallMatcher(weights))
    run("weights", SmallMatcher(weights_file(tmp_path, 1)))
    run("crop", SmallMatcher(weights, size=17))
    run("choice", SmallMatcher(weights), choice="only")
    run("batch", SmallMatcher(weights), batch=5)

    class Shifted(PrecroppedDetector):
        name = "shifted"

    run("detector", SmallMatcher(weights), detector=Shifted())
    assert len({found.fingerprint for found in runs.values()}) == len(runs)
    overwritten = SmallMatcher(weights)
    np.save(weights, np.load(weights_file(tmp_path, 2)))
    run("overwritten weights", overwritten)


def test_a_changed_image_cannot_hit(root, small, tmp_path):
    """Other bytes under the same name are another image; the rest stay cached."""
    faces, cache = face_set(root, 4), tmp_path / "cache"
    first = embed(faces, WHOLE, small, batch=1, cache=cache)
    Pillow.fromarray(picture(99)).save(root / "2.png")
    calls = small.calls
    second = embed(faces, WHOLE, small, batch=1, cache=cache)
    assert small.calls == calls + 1
    changed = (first.vectors != second.vectors).any(axis=1)
    assert changed.tolist() == [False, False, True, False]
    assert first.fingerprint != second.fingerprint


def test_the_same_bytes_twice_are_embedded_once(root, small):
    """Copies of a file share a vector and one place in a batch."""
    face_set(root, 1)
    for name in ("copy.png", "again.png"):
        (root / name).write_bytes((root / "0.png").read_bytes())
    found = embed(faces_of(root, ["0.png", "copy.png", "again.png"]), WHOLE, small, batch=1)
    assert small.calls == 1
    assert (found.vectors == found.vectors[0]).all()


def broken(root):
    """Files that are no images among two that are."""
    face_set(root, 2)
    (root / "empty.png").write_bytes(b"")
    (root / "text.jpg").write_bytes(b"this is no image")
    os.mkfifo(root / "pipe.png")
    whole = (root / "0.png").read_bytes()
    (root / "cut.png").write_bytes(whole[: len(whole) // 2])
    return faces_of(
        root, ["empty.png", "0.png", "text.jpg", "gone.png", "cut.png", "1.png", "pipe.png"]
    )


def test_unreadable_images_are_listed_once_all_others_are_done(root, small, tmp_path):
    """One error names all five, and the two good ones are in the cache already."""
    faces, cache = broken(root), tmp_path / "cache"
    with pytest.raises(InputError) as caught:
        embed(faces, WHOLE, small, batch=1, cache=cache)
    message = str(caught.value)
    assert "5 of 7 images" in message
    assert "embedded and cached" in message
    for words in ("empty.png: the file is empty", "text.jpg: not an image",
                  "gone.png: no such file", "cut.png: damaged"):  # fmt: skip
        assert words in message
    calls = small.calls
    assert calls == 2
    found = embed(faces, WHOLE, small, batch=1, cache=cache, unreadable="fail_to_enrol")
    assert small.calls == calls
    assert found.enrolled.tolist() == [False, True, False, False, False, True, False]
    assert found.failure[0] == "unreadable: the file is empty"
    assert (found.vectors[~found.enrolled] == 0).all()


def test_images_can_be_checked_before(root):
    """check_images lists what is absent, empty or foreign, and is silent about a good set."""
    faces = broken(root)
    with pytest.raises(InputError) as caught:
        check_images(faces)
    for name in ("empty.png", "text.jpg", "gone.png", "pipe.png"):
        assert name in str(caught.value)
    check_images(faces_of(root, ["0.png", "1.png"]))


@pytest.mark.parametrize(
    ("vector", "reason"),
    [([np.nan, 1], "finite"), ([np.inf, 1], "finite"), ([0, 0], "zero"), ([3, 4], "")],
)
def test_vectors_without_direction_are_failures(vector, reason):
    """NaN, infinity and zero give a reason, anything else a unit vector."""
    made = template_of(np.array(vector, dtype=np.float32))
    assert reason in made.failure
    assert (made.vector is None) == bool(reason)


def test_a_matcher_that_fails_on_one_face(root, small, tmp_path):
    """Its NaN row is a failure to enrol, cached as one; the others are untouched."""

    class Picky(SmallMatcher):
        def embed(self, faces):
            vectors = super().embed(faces).copy()
            vectors[faces.mean(axis=(1, 2, 3)) > 250] = np.nan
            return vectors

    faces = face_set(root, 3)
    Pillow.new("RGB", (24, 20), "white").save(root / "1.png")
    picky, cache = Picky(weights_file(tmp_path)), tmp_path / "cache"
    found = embed(faces, WHOLE, picky, cache=cache)
    assert found.enrolled.tolist() == [True, False, True]
    assert "finite" in found.failure[1]
    assert same(found, embed(faces, WHOLE, picky, cache=cache))
    assert picky.calls == 1


def test_a_matcher_that_returns_too_few_rows(root, tmp_path):
    """Vectors must not slide to other people."""

    class Short(SmallMatcher):
        def embed(self, faces):
            return super().embed(faces)[:-1]

    with pytest.raises(InputError, match="one row a face"):
        embed(face_set(root, 2), WHOLE, Short(weights_file(tmp_path)))


def test_nobody_enrolled(root, small):
    """Without one vector the set still has a row an image."""

    class Blind(PrecroppedDetector):
        name = "blind"

        def detect(self, images):
            return [[] for _ in images]

    found = embed(face_set(root, 3), Blind(), small)
    assert found.failure.tolist() == ["no face found"] * 3
    assert found.vectors.shape == (3, 0)
    assert small.calls == 0


def test_progress_ends_at_the_total(root, small):
    """It never runs backwards and never past the number of images."""
    seen = []
    embed(face_set(root, 7), WHOLE, small, batch=3, progress=lambda *now: seen.append(now))
    assert seen[-1] == (7, 7)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_wrong_settings(root, small):
    """Named with what is allowed."""
    faces = face_set(root, 1)
    with pytest.raises(InputError, match="choice=nearest"):
        embed(faces, WHOLE, small, choice="nearest")
    with pytest.raises(InputError, match="batch=0"):
        embed(faces, WHOLE, small, batch=0)
    with pytest.raises(InputError, match="unreadable=skip"):
        embed(faces, WHOLE, small, unreadable="skip")


def test_stored_vectors_open_no_image(root, tmp_path):
    """The images need not even exist."""
    np.savez(tmp_path / "v.npz", vectors=np.eye(2), image_id=np.array(["b.png", "a.png"]))
    found = embed(
        faces_of(root, ["a.png", "b.png"]), WHOLE, StoredEmbeddings(path=str(tmp_path / "v.npz"))
    )
    assert found.vectors.tolist() == [[0, 1], [1, 0]]


def shards(cache):
    """The cache's shard files."""
    return sorted(cache.rglob("*.npz"))


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_damaged_cache_files_are_made_anew(root, small, tmp_path, caplog, damage):
    """A shard that is not what its name says is dropped with a note and never believed."""
    faces, cache = face_set(root, 4), tmp_path / "cache"
    first = embed(faces, WHOLE, small, cache=cache)
    (path,) = shards(cache)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes({"cut": data[:50], "flip": data, "empty": b""}[damage])
    assert same(first, embed(faces, WHOLE, small, cache=cache))
    assert small.calls == 2
    assert "is damaged" in caplog.text
    assert shards(cache) == [path]


def test_a_shard_moved_to_another_setting_is_not_used(root, tmp_path):
    """A record carries the key it was made under."""
    faces, cache = face_set(root, 4), tmp_path / "cache"
    one, other = SmallMatcher(weights_file(tmp_path)), SmallMatcher(weights_file(tmp_path, 1))
    embed(faces, WHOLE, one, cache=cache)
    (path,) = shards(cache)
    fresh = embed(faces, WHOLE, other)
    embed(faces_of(root, ["0.png"]), WHOLE, other, cache=cache)
    (folder,) = {found.parent for found in shards(cache)} - {path.parent}
    path.rename(folder / path.name)
    assert same(fresh, embed(faces, WHOLE, other, cache=cache))


def test_the_cache_is_private(root, small, tmp_path):
    """Faces are biometric data: nobody but the owner may look, whatever the umask."""
    old = os.umask(0)
    try:
        embed(face_set(root, 2), WHOLE, small, cache=tmp_path / "deep" / "cache")
    finally:
        os.umask(old)
    cache = tmp_path / "deep" / "cache"
    for path in (cache, *cache.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


CHILD = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from embedding_worlds import SmallMatcher, face_set
from frbench import template_cache
from frbench.detectors.precropped import PrecroppedDetector
from frbench.embedding import embed
template_cache._SHARD_RECORDS = 3
folder = Path({folder!r})
matcher = SmallMatcher(folder / "weights0.npy", kill_after={kill_after})
found = embed(face_set(folder / "images", 20), PrecroppedDetector(), matcher, batch=2,
              cache=folder / "cache")
print(found.fingerprint, found.vectors.tobytes().hex())
"""


def child(folder, kill_after=None):
    """A process that embeds twenty images, to be killed after some batches."""
    paths = [str(Path(__file__).parents[1])]
    code = textwrap.dedent(CHILD).format(paths=paths, folder=str(folder), kill_after=kill_after)
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_killed_at_any_time_it_resumes_to_the_same_bytes(root, tmp_path):
    """After SIGKILL in the middle, what was written is used and the end is as if undisturbed."""
    small = SmallMatcher(weights_file(tmp_path))
    faces = face_set(root, 20)
    fresh = embed(faces, WHOLE, small, batch=2)
    killed = child(tmp_path, kill_after=5)
    killed.communicate(timeout=120)
    assert killed.returncode == -9
    assert len(shards(tmp_path / "cache")) >= 2
    resumed = SmallMatcher(tmp_path / "weights0.npy")
    assert same(fresh, embed(faces, WHOLE, resumed, batch=2, cache=tmp_path / "cache"))
    assert 0 < resumed.calls < small.calls


def test_two_processes_share_a_cache(root, tmp_path):
    """Both end with the same bytes, and a third finds everything there."""
    weights_file(tmp_path)
    face_set(root, 20)
    pair = [child(tmp_path), child(tmp_path)]
    answers = [process.communicate(timeout=120) for process in pair]
    assert [process.returncode for process in pair] == [0, 0], answers
    assert answers[0][0] == answers[1][0]
    third = SmallMatcher(tmp_path / "weights0.npy")
    found = embed(face_set(root, 20), WHOLE, third, batch=2, cache=tmp_path / "cache")
    assert third.calls == 0
    assert answers[0][0].split()[1] == found.vectors.tobytes().hex()


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of a few hundred kilobytes, which only root can mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("this environment does not allow mounting")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def _fill(path):
    """Write until nothing more fits."""
    with suppress(OSError), path.open("wb", buffering=0) as stream:
        while stream.write(bytes(4096)):
            pass


def test_a_full_disk_is_one_sentence(root, small, tiny_disk):
    """It names the folder, leaves nothing half-written, and goes on once there is space."""
    faces = face_set(root, 4)
    filler = tiny_disk / "filler"
    embed(faces_of(root, ["0.png"]), WHOLE, small, cache=tiny_disk / "cache")
    before = shards(tiny_disk)
    _fill(filler)
    with pytest.raises(InputError, match="the disk is full") as caught:
        embed(faces, WHOLE, small, cache=tiny_disk / "cache")
    assert str(tiny_disk / "cache") in str(caught.value)
    assert shards(tiny_disk) == before
    assert list(tiny_disk.rglob(".new-*")) == []
    filler.unlink()
    assert embed(faces, WHOLE, small, cache=tiny_disk / "cache").enrolled.all()


def test_a_disk_that_cannot_be_written_to(root, small, tiny_disk):
    """A read-only file system ends in a sentence before any work."""
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    with pytest.raises(InputError, match="Read-only file system"):
        embed(face_set(root, 1), WHOLE, small, cache=tiny_disk / "cache")
    assert small.calls == 0


def test_a_file_where_the_cache_should_be(root, small, tmp_path):
    """Named, with what to do."""
    (tmp_path / "cache").write_text("not a folder")
    with pytest.raises(InputError, match="name a folder that you can write to"):
        embed(face_set(root, 1), WHOLE, small, cache=tmp_path / "cache")


@needs("frll")
def test_real_photographs_from_files_to_templates(tmp_path):
    """Eight photographs of four people through dlib: all enrolled, mated above non-mated."""
    pytest.importorskip("dlib")
    paths = [
        view.format(person)
        for person in ("001", "004", "010", "020")
        for view in ("neutral_front/{}_03.jpg", "smiling_front/{}_08.jpg")
    ]
    faces = faces_of(SHARED / "frll", paths)
    found = embed(faces, DlibHogDetector(), DlibMatcher(), cache=tmp_path)
    assert found.enrolled.all()
    scores = found.vectors @ found.vectors.T
    person = np.arange(8) // 2
    mated = (person[:, None] == person) & ~np.eye(8, dtype=bool)
    assert scores[mated].min() > scores[person[:, None] != person].max()
    assert same(found, embed(faces, DlibHogDetector(), DlibMatcher(), cache=tmp_path))


def test_one_file_under_two_ids_is_refused(root, small):
    """It would be compared with itself: a sure match, whoever is said to be on it."""
    face_set(root, 2)
    faces = faces_of(root, ["0.png", "1.png", "./0.png"])
    with pytest.raises(InputError, match="listed more than once") as caught:
        embed(faces, WHOLE, small)
    assert "./0.png" in str(caught.value)
    assert "- 1.png" not in str(caught.value)

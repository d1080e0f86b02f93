"""The folder benchmark: who is in which folder, and labels from a file beside them."""

from __future__ import annotations

import os

import pytest

from frbench.benchmarks.folder import FolderBenchmark
from frbench.errors import InputError
from real_photographs import SHARED, needs


@pytest.fixture
def root(tmp_path):
    """Two people with three images between them, and things that are no images."""
    top = tmp_path / "people"
    for name in ("ann/1.JPG", "ann/deep/2.png", "bob/1.webp", "bob/notes.txt", "bob/.hidden.jpg",
                 ".git/x.jpg", "empty/readme"):  # fmt: skip
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"-")
    return top


def labels(root, text):
    """A label file beside the root."""
    path = root.parent / "labels.csv"
    path.write_text(text)
    return str(path)


def refusal(root, **options):
    """The sentence that loading ends with."""
    with pytest.raises(InputError) as caught:
        FolderBenchmark(root=str(root), **options).load()
    return str(caught.value)


def test_folders_are_people(root):
    """Every image below a folder is that person's, in a fixed order; hidden files are left out."""
    loaded = FolderBenchmark(root=str(root)).load()
    assert loaded.faces.to_dict("list") == {
        "image_id": ["ann/1.JPG", "ann/deep/2.png", "bob/1.webp"],
        "subject_id": ["ann", "ann", "bob"],
        "path": ["ann/1.JPG", "ann/deep/2.png", "bob/1.webp"],
    }
    assert loaded.name == "people"
    assert "none given" in loaded.about["labels"]


def test_labels_per_person(root):
    """A person without a row keeps their images, unlabelled."""
    path = labels(root, "subject_id,sex\nann,f\n")
    faces = FolderBenchmark(root=str(root), labels=path).load().faces
    assert faces["label_sex"].tolist()[:2] == ["f", "f"]
    assert faces["label_sex"].isna().tolist() == [False, False, True]


def test_labels_per_image(root):
    """With a path column the labels belong to the image and the identities to the folder."""
    path = labels(root, "path,age\nbob/1.webp,30\nann/1.JPG,20\n")
    loaded = FolderBenchmark(root=str(root), labels=path).load()
    assert loaded.faces["label_age"].fillna("?").tolist() == ["20", "?", "30"]
    assert loaded.faces["subject_id"].tolist() == ["ann", "ann", "bob"]


def test_identities_from_the_file(root):
    """With path and subject_id the folders mean nothing, and images without a row are counted."""
    (root / "flat.bmp").write_bytes(b"-")
    path = labels(root, "path,subject_id,sex\nflat.bmp,007,m\nbob/1.webp,007,m\n")
    loaded = FolderBenchmark(root=str(root), labels=path).load()
    assert loaded.faces["subject_id"].tolist() == ["007", "007"]
    assert "not the folders" in loaded.about["identities"]
    assert loaded.about["left_out"] == "2 images that the label file does not name"


def test_images_that_lie_in_the_root(root):
    """They are nobody's: counted where others have a folder, refused where none has."""
    (root / "flat.bmp").write_bytes(b"-")
    loaded = FolderBenchmark(root=str(root)).load()
    assert loaded.about["left_out"] == "1 images directly in the root"
    flat = root.parent / "flat"
    flat.mkdir()
    (flat / "x.jpg").write_bytes(b"-")
    assert "nothing says who is on them" in refusal(flat)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("subject_id,sex\nann,f\ncarl,m\n", ["row 2 (line 3)", "'carl'", "no folder"]),
        ("subject_id,sex\nann,f\nann,m\n", ["row 2 (line 3)", "occurs already in row 1"]),
        ("subject_id,sex\n,f\n", ["row 1 (line 2), column subject_id: blank"]),
        ("path,sex\nann/9.jpg,f\nbob/1.webp,m\nbob/1.webp,m\n",
         ["'ann/9.jpg': no image", "row 3 (line 4)", "2 problems"]),
        ("path,subject_id\nann/1.JPG,\n../x.jpg,p\n",
         ["subject_id: blank", "'../x.jpg': no image"]),
        ("name,sex\nann,f\n", ["neither a column subject_id", "name, sex"]),
    ],
)  # fmt: skip
def test_label_rows_that_fit_nothing(root, text, wanted):
    """Unknown, doubled and blank keys are listed together with row and line."""
    message = refusal(root, labels=labels(root, text))
    for words in wanted:
        assert words in message


def test_places_without_a_set(tmp_path):
    """No such folder, and a folder without images."""
    assert "not a folder" in refusal(tmp_path / "none")
    assert "holds no images" in refusal(tmp_path)


def test_links_out_of_the_root(root):
    """A linked image or folder from elsewhere is refused by name, as the root is the promise."""
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "1.jpg").write_bytes(b"-")
    os.symlink(outside, root / "zoe")
    os.symlink(outside / "1.jpg", root / "ann" / "3.jpg")
    message = refusal(root)
    assert "zoe leads out of the root" in message
    assert "ann/3.jpg leads out of the root" in message


@needs("frll")
@needs("meds")
@pytest.mark.parametrize(("name", "people", "images"), [("frll", 102, 612), ("meds", 50, 114)])
def test_sets_sorted_by_view_or_not_at_all(name, people, images):
    """Folders of views, or none, are no obstacle when the label file names the people."""
    root = SHARED / name
    loaded = FolderBenchmark(root=str(root), labels=str(root / "manifest.csv")).load()
    assert (loaded.faces["subject_id"].nunique(), len(loaded.faces)) == (people, images)


@needs("lfw")
def test_folders_and_label_file_of_lfw_agree():
    """The people by folder are the people by file, photograph for photograph."""
    root = SHARED / "lfw"
    by_file = FolderBenchmark(root=str(root), labels=str(root / "manifest.csv")).load().faces
    by_folder = FolderBenchmark(root=str(root)).load().faces
    assert by_file["subject_id"].tolist() == by_folder["subject_id"].tolist()
    assert by_file["path"].tolist() == by_folder["path"].tolist()


def test_all_formats_that_can_be_decoded_are_found(tmp_path):
    """TIFF, GIF and the portable formats of the older sets are images too."""
    (tmp_path / "p").mkdir()
    names = ["a.tif", "b.ppm", "c.pgm", "d.GIF", "e.png", "notes.txt"]
    for name in names:
        (tmp_path / "p" / name).touch()
    faces = FolderBenchmark(root=str(tmp_path)).load().faces
    assert faces["path"].tolist() == [f"p/{name}" for name in names[:-1]]

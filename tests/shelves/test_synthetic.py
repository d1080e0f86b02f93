"""The renderer and the embedded benchmark: seeds, factors, cache."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from frbench.benchmarks.synthetic import SyntheticBenchmark
from frbench.errors import InputError
from frbench.rendering.columns import generator
from frbench.rendering.identity import FACTORS, GROUPS, TRAIT_NAMES, draw_person
from frbench.rendering.render import Shot, render
from frbench.rendering.skin import pigment

LIGHTER = ("lighter", "female", "younger")


def shots(count: int) -> list[Shot]:
    """One picture of each of ``count`` people, going round the groups."""
    return [Shot(person, GROUPS[person % len(GROUPS)], person % 3) for person in range(count)]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[SyntheticBenchmark, Path]:
    """A rendered set of 8 people with 2 pictures each, and its cache folder."""
    cache = tmp_path_factory.mktemp("cache") / "private"
    benchmark = SyntheticBenchmark(people_per_group=1, images_per_person=2, cache=cache)
    benchmark.load()
    return benchmark, cache


def test_same_seed_gives_the_same_bytes() -> None:
    """Rendering twice from one seed gives identical pictures of the promised shape."""
    first = render(shots(4), seed=5, stream="test")
    assert first.shape == (4, 112, 112, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, render(shots(4), seed=5, stream="test"))


@pytest.mark.parametrize(("seed", "stream"), [(6, "test"), (5, "other")])
def test_another_seed_or_stream_gives_other_people(seed: int, stream: str) -> None:
    """Both the seed and the stream change every picture and every person's traits."""
    first = render(shots(3), seed=5, stream="test").astype(int)
    other = render(shots(3), seed=seed, stream=stream).astype(int)
    assert (np.abs(first - other).mean(axis=(1, 2, 3)) > 3).all()
    person = draw_person(seed=5, stream="test", index=0, factors=LIGHTER)
    stranger = draw_person(seed=seed, stream=stream, index=0, factors=LIGHTER)
    assert (person != stranger).all()


@settings(deadline=None, max_examples=4)
@given(batch=st.integers(1, 7))
def test_a_picture_does_not_depend_on_its_batch(batch: int) -> None:
    """Any batch size, and any company in the batch, gives the bytes of a picture alone."""
    together = render(shots(7), seed=5, stream="test", batch=batch)
    alone = np.concatenate([render([s], seed=5, stream="test") for s in shots(7)])
    assert np.array_equal(together, alone)


def test_rendering_leaves_the_global_generator_alone() -> None:
    """Nothing is drawn from torch's own random state."""
    before = torch.random.get_rng_state()
    render(shots(1), seed=5, stream="test")
    assert torch.equal(before, torch.random.get_rng_state())


def test_generator_streams_depend_on_every_part_of_the_key() -> None:
    """Keys that differ in one part, or only in how the parts join, draw differently."""
    keys = [(1, "a", 2), (1, "a", 3), (1, "b", 2), (2, "a", 2), (1, "a", 2, 0), ("1", "a", 2)]
    draws = {torch.randn(1, generator=generator(*key)).item() for key in keys}
    assert len(draws) == len(keys)


def test_more_melanin_is_darker_in_every_channel() -> None:
    """Albedo falls with melanin and stays a fraction of the light."""
    melanin = torch.linspace(0.05, 1.0, 20).view(20, 1, 1)
    albedo = pigment(melanin, torch.full_like(melanin, 0.5))[:, :, 0, 0]
    assert (albedo.diff(dim=0) < 0).all()
    assert albedo.min() > 0
    assert albedo.max() < 1


def test_skin_tone_darkens_the_face_and_not_the_backdrop() -> None:
    """The same draw with the darker level has a darker face before the same backdrop."""
    people = range(24)
    pictures = {
        tone: render(
            [Shot(p, (tone, "female", "younger"), 0) for p in people], seed=3, stream="test"
        )
        for tone in FACTORS["skin_tone"]
    }
    face = {tone: rows[:, 50:85, 42:70].mean() for tone, rows in pictures.items()}
    wall = {tone: rows[:, :8, :8].mean() for tone, rows in pictures.items()}
    assert face["lighter"] - face["darker"] > 15
    assert abs(wall["lighter"] - wall["darker"]) < abs(face["lighter"] - face["darker"])


@pytest.mark.parametrize(
    ("factor", "trait", "sign"),
    [
        (0, "melanin", 1),
        (1, "beard", 1),
        (1, "hair_length", -1),
        (2, "wrinkles", 1),
        (2, "grey", 1),
        (2, "upper_lip", -1),
    ],
)
def test_factors_shift_the_traits_that_they_should(factor: int, trait: str, sign: int) -> None:
    """Raising one factor alone moves its trait for every person, in the documented direction."""
    low, high = list(LIGHTER), list(LIGHTER)
    low[factor], high[factor] = list(FACTORS.values())[factor]
    column = TRAIT_NAMES.index(trait)
    for index in range(5):
        a = draw_person(seed=1, stream="test", index=index, factors=tuple(low))[column]
        b = draw_person(seed=1, stream="test", index=index, factors=tuple(high))[column]
        assert sign * (b - a) > 0


def test_groups_overlap_and_vary_equally() -> None:
    """Every group has the same within-group spread, and most traits overlap between groups."""
    drawn = {
        group: torch.stack(
            [draw_person(seed=1, stream="test", index=i, factors=group) for i in range(200)]
        )
        for group in (GROUPS[0], GROUPS[-1])
    }
    first, last = drawn.values()
    spread = first.std(0)
    assert torch.allclose(spread, last.std(0), rtol=1e-3)
    distance = ((first.mean(0) - last.mean(0)) / spread).abs()
    assert (distance < 2).float().mean() > 0.85


def test_pictures_of_one_person_are_closer_than_pictures_of_two() -> None:
    """Averaged over circumstances, two halves of one person's pictures agree best."""
    people, tries = 6, 12
    rows = render(
        [Shot(p, LIGHTER, k) for p in range(people) for k in range(tries)], seed=9, stream="test"
    )
    centre = rows.reshape(people, tries, 112, 112, 3)[:, :, 30:90, 30:82].astype(float)
    halves = centre[:, ::2].mean(1), centre[:, 1::2].mean(1)
    gap = np.abs(halves[0][:, None] - halves[1][None]).mean(axis=(2, 3, 4))
    assert gap.diagonal().mean() < 0.85 * gap[~np.eye(people, dtype=bool)].mean()


def test_the_set_is_complete_and_labelled(small: tuple[SyntheticBenchmark, Path]) -> None:
    """Each group has its people, ids are unique, paths exist below the root and decode."""
    benchmark, _ = small
    got = benchmark.load()
    assert got.synthetic
    assert got.name == "synthetic"
    assert got.faces["image_id"].is_unique
    assert got.faces["subject_id"].nunique() == 8
    labels = ["label_skin_tone", "label_sex", "label_age_band"]
    assert (got.faces.groupby(labels)["subject_id"].nunique() == 1).all()
    assert len(got.faces.groupby(labels)) == 8
    assert (got.faces["path"].map(lambda p: Path(p).stem) == got.faces["image_id"]).all()
    picture = np.asarray(Image.open(got.root / got.faces["path"].iloc[3]))
    again = render([Shot(1, GROUPS[1], 1)], seed=2026, stream="benchmark")[0]
    assert np.array_equal(picture, again)


def test_the_cache_is_private(small: tuple[SyntheticBenchmark, Path]) -> None:
    """Folders are 0700 and pictures 0600, whatever the umask was."""
    benchmark, cache = small
    for folder in (cache, cache / "synthetic", benchmark.folder()):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for picture in benchmark.folder().iterdir():
        assert stat.S_IMODE(picture.stat().st_mode) == 0o600


def test_a_second_load_renders_nothing(small: tuple[SyntheticBenchmark, Path]) -> None:
    """The files of the first load are used again, untouched; nothing is left beside them."""
    benchmark, cache = small
    before = {p: p.stat().st_mtime_ns for p in benchmark.folder().iterdir()}
    again = SyntheticBenchmark(people_per_group=1, images_per_person=2, cache=cache).load()
    assert {p: p.stat().st_mtime_ns for p in again.root.iterdir()} == before
    assert list((cache / "synthetic").iterdir()) == [benchmark.folder()]


@pytest.mark.parametrize("change", [{"seed": 1}, {"people_per_group": 2}, {"images_per_person": 3}])
def test_a_changed_setting_changes_the_key(change: dict[str, int]) -> None:
    """Every setting that changes the pictures leads to another folder."""
    usual = {"people_per_group": 1, "images_per_person": 2, "cache": "anywhere"}
    assert (
        SyntheticBenchmark(**usual).folder()  # type: ignore[arg-type]
        != SyntheticBenchmark(**(usual | change)).folder()  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("damage", ["missing", "empty"])
def test_a_damaged_cache_is_rendered_anew(tmp_path: Path, damage: str) -> None:
    """A picture that is gone or of zero bytes is noticed and comes back as it was."""
    benchmark = SyntheticBenchmark(people_per_group=1, images_per_person=1, cache=tmp_path)
    victim = benchmark.load().root / "syn-00005_00.png"
    intact = victim.read_bytes()
    if damage == "missing":
        victim.unlink()
    else:
        victim.write_bytes(b"")
    benchmark.load()
    assert victim.read_bytes() == intact


def test_the_environment_names_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FRBENCH_CACHE is used when no folder is given, and an argument goes before it."""
    monkeypatch.setenv("FRBENCH_CACHE", str(tmp_path / "a"))
    assert SyntheticBenchmark().folder().is_relative_to(tmp_path / "a")
    assert SyntheticBenchmark(cache=tmp_path / "b").folder().is_relative_to(tmp_path / "b")


def test_an_unwritable_cache_is_explained(tmp_path: Path) -> None:
    """A cache path that runs through a file gives the sentence that names the remedy."""
    (tmp_path / "file").write_text("in the way")
    benchmark = SyntheticBenchmark(people_per_group=1, cache=tmp_path / "file" / "cache")
    with pytest.raises(InputError, match=r"cannot write the pictures .*benchmark\.cache"):
        benchmark.load()
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("setting", ["people_per_group", "images_per_person"])
def test_an_impossible_size_is_refused(setting: str) -> None:
    """No people or no pictures is an error that names the setting."""
    with pytest.raises(InputError, match=f"{setting} is 0"):
        SyntheticBenchmark(**{setting: 0})  # type: ignore[arg-type]

"""Labels become groups, and nobody is lost on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frbench.errors import InputError
from frbench.groups import GroupSpec, assign_groups
from frbench.values import UNLABELLED, FaceSet


def face_set(**labels: list[str | None]) -> FaceSet:
    """A set of as many images as the first label has values; persons as given or all distinct."""
    size = len(next(iter(labels.values())))
    persons = labels.pop("subject_id", [f"s{i}" for i in range(size)])
    table = pd.DataFrame({"image_id": [f"i{i}" for i in range(size)], "subject_id": persons})
    table["path"] = table["image_id"] + ".png"
    for name, values in labels.items():
        table[f"label_{name}"] = pd.Series(values, dtype="str")
    return FaceSet("set", "1", Path("."), table)


def test_a_missing_label_is_a_group_of_its_own() -> None:
    """Unlabelled images stay, in a group that says so and stands last."""
    grouped = assign_groups(face_set(sex=["f", None, "m"]), GroupSpec(by=("sex",))).faces["group"]
    assert list(grouped.cat.categories) == ["f", "m", UNLABELLED]
    assert list(grouped) == ["f", UNLABELLED, "m"]


def test_a_level_named_in_the_settings_keeps_its_place_when_absent() -> None:
    """Levels come from the settings, so an absent group is reported as empty."""
    spec = GroupSpec(by=("sex",), levels={"sex": ["m", "f", "x"]})
    grouped = assign_groups(face_set(sex=["f", "m"]), spec).faces["group"]
    assert list(grouped.cat.categories) == ["m", "f", "x"]


def test_a_value_outside_the_levels_is_named_with_its_row() -> None:
    """An unknown value is an error that says where it stands."""
    spec = GroupSpec(by=("sex",), levels={"sex": ["m", "f"]})
    with pytest.raises(InputError, match=r"unknown values 'fem' \(the first in row 2\)"):
        assign_groups(face_set(sex=["f", "fem"]), spec)


def test_combinations_include_the_ones_nobody_is_in() -> None:
    """Crossing two labels shows the empty crossing too."""
    faces = face_set(sex=["f", "m"], tone=["dark", "light"])
    levels = list(assign_groups(faces, GroupSpec(by=("sex", "tone"))).faces["group"].cat.categories)
    assert levels == ["f/dark", "f/light", "m/dark", "m/light"]


def test_a_person_with_two_values_is_an_error_that_lists_them() -> None:
    """Contradicting labels are named, with three ways to mend them."""
    faces = face_set(subject_id=["a", "a", "b"], sex=["f", "m", "m"])
    with pytest.raises(InputError, match="a: f, m"):
        assign_groups(faces, GroupSpec(by=("sex",)))


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("majority", ["f", "f", "f", "m", "unlabelled", "unlabelled"]),
        ("drop", ["m"]),
        ("keep", ["f", "f", "m", "m", "f", "m"]),
    ],
)
def test_contradictions_can_be_settled_in_three_ways(how: str, expected: list[str]) -> None:
    """Majority, ties unlabelled; drop the person; or keep each image's own value."""
    faces = face_set(subject_id=["a", "a", "a", "b", "c", "c"], sex=["f", "f", "m", "m", "f", "m"])
    spec = GroupSpec(by=("sex",), on_conflict=how)  # type: ignore[arg-type]
    assert list(assign_groups(faces, spec).faces["group"]) == expected


def test_a_missing_value_is_taken_from_the_persons_other_images() -> None:
    """A person's own label fills their unlabelled images, and the record says so."""
    grouped = assign_groups(
        face_set(subject_id=["a", "a"], sex=["f", None]), GroupSpec(by=("sex",))
    )
    assert list(grouped.faces["group"]) == ["f", "f"]
    assert "1 images without sex" in grouped.about["groups"]


def test_bands_are_open_below_and_closed_above() -> None:
    """20 belongs to the band that ends at 20, as in NIST's tables."""
    spec = GroupSpec(by=("age",), bands={"age": [20, 35]}, varies=("age",))
    grouped = assign_groups(face_set(age=["20", "20.5", "35", "36", None]), spec).faces["group"]
    assert list(grouped) == ["(..20]", "(20..35]", "(20..35]", "(35..]", UNLABELLED]


def test_a_label_that_is_no_number_cannot_be_banded() -> None:
    """The row and the value are named."""
    spec = GroupSpec(by=("age",), bands={"age": [20]})
    with pytest.raises(InputError, match="row 2: 'old'"):
        assign_groups(face_set(age=["20", "old"]), spec)


def test_automatic_grouping_takes_labels_that_are_constant_within_persons() -> None:
    """Expression varies between a person's images and is left out; the choice is recorded."""
    faces = face_set(
        subject_id=["a", "a", "b"], sex=["f", "f", "m"], expression=["smile", "neutral", "smile"]
    )
    grouped = assign_groups(faces, GroupSpec())
    assert list(grouped.faces["group"]) == ["f", "f", "m"]
    assert "chosen automatically" in grouped.about["groups"]
    assert "expression (varies within 1 persons)" in grouped.about["groups"]


def test_automatic_grouping_does_not_pass_over_a_mistake() -> None:
    """One of twenty persons with two sexes is a mistake to mend, not a reason to drop the label."""
    persons = [f"s{i}" for i in range(20)]
    faces = face_set(subject_id=[*persons, "s0"], sex=["f", "m"] * 10 + ["m"])
    with pytest.raises(InputError, match="s0: f, m"):
        assign_groups(faces, GroupSpec())


def test_no_label_at_all_gives_one_group() -> None:
    """A set without labels is still measured, as everyone."""
    faces = face_set(subject_id=["a", "b"])
    assert list(assign_groups(faces, GroupSpec()).faces["group"]) == ["everyone", "everyone"]


def test_an_unknown_label_is_refused_with_those_there_are() -> None:
    """A misspelt label names the labels of the set."""
    with pytest.raises(InputError, match="it has: sex"):
        assign_groups(face_set(sex=["f"]), GroupSpec(by=("sexx",)))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.sampled_from(["f", "m", None]),
            st.sampled_from(["x", "y", "z", None]),
        ),
        min_size=1,
        max_size=30,
    ),
    st.randoms(use_true_random=False),
)
def test_order_of_rows_changes_nothing(rows: list[tuple[int, str, str]], random: object) -> None:
    """The same images get the same groups in any order, and none is dropped."""
    faces = face_set(
        subject_id=[f"s{r[0]}" for r in rows], sex=[r[1] for r in rows], tone=[r[2] for r in rows]
    )
    spec = GroupSpec(by=("sex", "tone"), on_conflict="majority")
    plain = assign_groups(faces, spec).faces.set_index("image_id")["group"]
    order = np.random.default_rng(random.getrandbits(32)).permutation(len(rows))  # type: ignore[attr-defined]
    mixed = FaceSet("set", "1", Path("."), faces.faces.iloc[order].reset_index(drop=True))
    other = assign_groups(mixed, spec).faces.set_index("image_id")["group"]
    assert len(plain) == len(rows)
    assert not plain.isna().any()
    assert dict(plain) == dict(other)
    assert list(plain.cat.categories) == list(other.cat.categories)


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"on_conflict": "magority"}, "on_conflict=magority is unknown"),
        ({"levels": {"sex": ["f", "f"]}}, "more than once"),
    ],
)
def test_a_setting_that_means_nothing_is_refused(chosen: dict[str, Any], words: str) -> None:
    """A misspelt rule for contradictions must not be taken for another rule."""
    with pytest.raises(InputError, match=words):
        GroupSpec(by=("sex",), **chosen)


@pytest.mark.parametrize("setting", [{"varies": ("gender",)}, {"levels": {"gender": ["f"]}}])
def test_settings_of_a_label_that_is_not_there(setting: dict[str, Any]) -> None:
    """A misspelt label in any setting is named, not passed over."""
    faces = face_set(sex=["f", "m"])
    with pytest.raises(InputError, match="names gender, but the set"):
        assign_groups(faces, GroupSpec(by=("sex",), **setting))


@pytest.mark.parametrize(
    ("values", "words"),
    [(("all", "f"), "names the pooled row"), (("f", "f "), "differ only in spaces")],
)
def test_values_that_would_be_confused(values: tuple[str, str], words: str) -> None:
    """A group called like the pooled row, or two that look the same, are refused."""
    faces = face_set(sex=list(values))
    with pytest.raises(InputError, match=words):
        assign_groups(faces, GroupSpec(by=("sex",)))


def test_two_combinations_of_one_name() -> None:
    """a/b with c and a with b/c would be counted as one group."""
    faces = face_set(sex=["a/b", "a"], race=["c", "b/c"])
    with pytest.raises(InputError, match="are both called 'a/b/c'"):
        assign_groups(faces, GroupSpec(by=("sex", "race")))

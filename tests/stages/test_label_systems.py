"""Label systems and the lossy maps between them, as data and through the groups."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frbench.errors import InputError
from frbench.groups import GroupSpec, assign_groups
from frbench.label_systems import PROVENANCES, UNMAPPED, label_map, maps, system, systems
from frbench.values import UNLABELLED, FaceSet

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", sorted(maps()))
def test_every_code_maps_or_is_said_not_to(name):
    """A map has a line for each code of its source and no other, into its target or to nothing."""
    each = label_map(name)
    assert set(each.codes) == set(each.source.codes)
    assert {code for code in each.codes.values() if code} <= set(each.target.codes)
    assert len(each.lost) > 40
    merged = len(each.source.codes) > len(each.reachable)
    assert merged, "a map that loses nothing needs no sentence on what it loses"


@pytest.mark.parametrize("name", sorted(systems()))
def test_spellings_lead_to_one_code(name):
    """Codes and meanings are told apart, whatever their case and spaces."""
    each = system(name)
    assert each.provenance in PROVENANCES
    assert each.source
    for code, meaning in each.codes.items():
        assert each.code_of(f"  {code.lower()} ") == code
        assert each.code_of(meaning.upper()) == code


def test_what_the_guidance_of_the_field_says():
    """Chinese is Asian in the census but IC5 to an officer; IC1 and IC2 are White; IC6 is Other;
    nobody's IC code says Mixed."""
    ic, sde = label_map("ic_to_census5"), label_map("sde_to_census5")
    assert (ic.of("IC5"), sde.of("A4"), label_map("sde_to_ic").of("A4")) == (
        "asian",
        "asian",
        "IC5",
    )
    assert {ic.of("IC1"), ic.of("ic2")} == {"white"}
    assert (ic.of("IC6"), sde.of("O2")) == ("other", "other")
    assert "mixed" not in ic.reachable
    assert "mixed" in sde.reachable
    assert ic.of("IC9") == sde.of("NS") == ic.of("nonsense") == UNMAPPED


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(sorted(maps())), st.text(max_size=12))
def test_any_text_has_an_answer(name, value):
    """A value is one of the target's codes or unmapped; it never fails and never vanishes."""
    each = label_map(name)
    assert each.of(value) in {*each.reachable, UNMAPPED}


def people(*labels: str | None) -> FaceSet:
    """A set of one image a person, with a column ``ethnicity``."""
    ids = [str(number) for number in range(len(labels))]
    column = pd.Series(labels, dtype="str")
    table = pd.DataFrame(
        {"image_id": ids, "subject_id": ids, "path": ids, "label_ethnicity": column}
    )
    return FaceSet("set", "1", Path(), table)


SPEC = GroupSpec(by=("ethnicity",), map={"ethnicity": "ic_to_census5"})


def test_mapped_groups():
    """Absent groups keep their row, unmapped and unlabelled images stay visible and are counted."""
    faces = assign_groups(people("IC1", "IC2", "IC5", "IC9", "green", None), SPEC)
    assert faces.faces["group"].tolist() == [
        "white", "white", "asian", UNMAPPED, UNMAPPED, UNLABELLED
    ]  # fmt: skip
    assert list(faces.faces["group"].cat.categories) == [
        "asian", "black", "white", "other", UNMAPPED, UNLABELLED
    ]  # fmt: skip
    said = faces.about["map of ethnicity"]
    assert "2 images unmapped" in said
    assert "IC1 → white (1 images)" in said
    assert "green → unmapped" in said
    assert "lost: Officer-defined codes" in said
    assert faces.about["provenance of ethnicity"] == "officer-defined"


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from([*system("ic").codes, "green", None]), min_size=1, max_size=30))
def test_no_image_is_lost_by_a_map(labels):
    """Images before and after are as many, and the count of unmapped ones is right."""
    faces = assign_groups(people(*labels), SPEC)
    assert len(faces.faces) == len(labels)
    unmapped = sum(each in ("IC9", "IC0", "green") for each in labels)
    assert (faces.faces["group"] == UNMAPPED).sum() == unmapped
    assert f"{unmapped} images unmapped" in faces.about["map of ethnicity"]


def test_who_said_so_is_recorded():
    """The user's word goes before the loader's, and the loader's before the system's."""
    faces = people("IC1", "IC3")
    assert assign_groups(faces, GroupSpec(by=("ethnicity",))).about == {"grouped_by": "ethnicity"}
    loaded = FaceSet(
        "set", "1", Path(), faces.faces, about={"provenance of ethnicity": "by a sergeant"}
    )
    assert assign_groups(loaded, SPEC).about["provenance of ethnicity"] == "by a sergeant"
    spec = GroupSpec(by=("ethnicity",), provenance={"ethnicity": "inferred"})
    assert assign_groups(loaded, spec).about["provenance of ethnicity"] == "inferred"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"map": {"ethnicity": "ic_to_mars"}}, "ic_to_mars is unknown; there are"),
        ({"provenance": {"ethnicity": "hearsay"}}, "take one of self-defined"),
    ],
)
def test_unknown_maps_and_provenances(options, words):
    """A misspelt name is refused before anything is read, with those that exist."""
    with pytest.raises(InputError, match=words):
        GroupSpec(by=("ethnicity",), **options)


def test_a_map_of_no_label():
    """A map names a label that the set has."""
    with pytest.raises(InputError, match=r"groups\.map names race"):
        assign_groups(people("IC1"), GroupSpec(map={"race": "ic_to_census5"}))


def test_the_page_has_every_code():
    """docs/label-systems.md names each system, each map, and where each code goes."""
    page = (ROOT / "docs" / "label-systems.md").read_text(encoding="utf-8")
    for name, each in systems().items():
        assert f"`{name}`" in page
        for code in each.codes:
            assert f"`{code}`" in page, code
    for name, each in maps().items():
        section = page.split(f"### `{name}`")[1].split("\n#")[0]
        for code, target in each.codes.items():
            assert f"| `{code}` | {f'`{target}`' if target else '(unmapped)'} |" in section
        assert each.lost in " ".join(section.split())

"""Training-set audits: published figures, brute force, broken manifests, and honest intervals."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frbench.audit_rules import AuditEvidence
from frbench.audit_rules.composition_shift import CompositionShift
from frbench.audit_rules.manifest_faults import ManifestFaults
from frbench.audit_rules.missing_labels import MissingLabels
from frbench.audit_rules.past_retention import PastRetention
from frbench.audit_rules.released_and_kept import ReleasedAndKept
from frbench.audit_rules.representation import Representation
from frbench.audit_rules.rising_share import RisingShare
from frbench.auditing.composition import Expected, composition, group_rows, in_categories
from frbench.auditing.divergence import divergence
from frbench.auditing.history import history, sources
from frbench.auditing.manifest import TrainingManifest, TrainingSet
from frbench.config import config_dir
from frbench.errors import InputError
from frbench.references.population_file import PopulationFile
from frbench.references.stated_shares import StatedShares
from frbench.values import ALL, UNLABELLED

DAY = date(2026, 11, 23)
CENSUS = np.array([0.817, 0.093, 0.040, 0.029, 0.021])
TRAINING = np.array([0.70, 0.10, 0.13, 0.04, 0.03])
NAMES = ("White", "Asian", "Black", "Mixed", "Other")


def stored(folder: Path, rows: pd.DataFrame) -> Path:
    """The rows as a manifest file."""
    path = folder / "training.csv"
    rows.to_csv(path, index=False)
    return path


def loaded(folder: Path, rows: pd.DataFrame, **settings: object) -> TrainingSet:
    """The training set of these rows."""
    return TrainingManifest(path=str(stored(folder, rows)), **settings).load(as_of=DAY)


def people(ethnicity: list[str], images: list[int]) -> pd.DataFrame:
    """A manifest with so many images of each person."""
    who = np.repeat(np.arange(len(ethnicity)), images)
    return pd.DataFrame(
        {
            "path": [f"{at}.jpg" for at in range(len(who))],
            "subject_id": [f"p{each}" for each in who],
            "ethnicity": np.array(ethnicity)[who],
        }
    )


def expected(shares: dict[str, float]) -> Expected:
    """A census with these shares under the manifest's own names."""
    return Expected("ethnicity", shares, {name: name for name in shares}, np.inf, "test census")


def test_the_divergences_are_the_reference_numbers() -> None:
    """PSI, both KL, total variation, X², G and w of the worked example, to the printed digits."""
    found = divergence(TRAINING * 10_000, CENSUS)
    assert f"{found.psi:.6f}" == "0.131418"
    assert f"{found.kl_to_expected:.6f}" == "0.075855"
    assert f"{found.kl_from_expected:.6f}" == "0.055563"
    assert f"{found.total_variation:.3f}" == "0.117"
    assert f"{found.chi_squared:.3f}" == "2278.116"
    assert f"{found.g:.3f}" == "1517.094"
    assert f"{found.effect_w:.4f}" == "0.4773"


def test_the_representation_ratios_are_the_reference_numbers(tmp_path: Path) -> None:
    """The five ratios of the worked example, from a manifest of 10,000 persons."""
    counts = (TRAINING * 10_000).round().astype(int)
    rows = people(list(np.repeat(NAMES, counts)), [1] * int(counts.sum()))
    training = loaded(tmp_path, rows)
    told = expected(dict(zip(NAMES, CENSUS, strict=True)))
    grouped = in_categories(group_rows(training, ["ethnicity"])[0], told)
    table = composition(training, grouped, told, as_of=DAY).set_index("group")
    ratios = [f"{table.loc[name, 'representation']:.4f}" for name in NAMES]
    assert ratios == ["0.8568", "1.0753", "3.2500", "1.3793", "1.4286"]


def test_the_census_choice_is_the_published_table() -> None:
    """The shipped percentages sum to 100 and are those that domain facts verify."""
    from omegaconf import OmegaConf

    shares = OmegaConf.load(config_dir() / "reference" / "census_2021.yaml").shares.ethnicity
    assert dict(shares) == {"White": 81.7, "Asian": 9.3, "Black": 4.0, "Mixed": 2.9, "Other": 2.1}
    assert sum(shares.values()) == pytest.approx(100)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "c", None]), st.integers(1, 4), st.booleans()),
        min_size=2,
        max_size=25,
    )
)
def test_counts_are_those_of_a_plain_loop(
    tmp_path_factory: pytest.TempPathFactory, persons: list[tuple[str | None, int, bool]]
) -> None:
    """Images, persons and images of released people per group, counted one row at a time."""
    lines = []
    for number, (label, images, released) in enumerate(persons):
        lines += [(f"p{number}", label, "nfa" if released else "charged")] * images
    rows = pd.DataFrame(lines, columns=["subject_id", "kind", "disposal"])
    rows["path"] = [f"{at}.png" for at in range(len(rows))]
    training = loaded(tmp_path_factory.mktemp("set"), rows)
    table = composition(training, group_rows(training, ["kind"])[0], None, as_of=DAY)
    whole = table.iloc[0]
    assert (whole.share_images_low, whole.share_subjects_low) == (1.0, 1.0)
    for row in table.itertuples():
        mine = [each for each in lines if row.group == ALL or (each[1] or UNLABELLED) == row.group]
        assert row.images == len(mine)
        assert row.subjects == len({each[0] for each in mine})
        assert row.released_images == sum(each[2] == "nfa" for each in mine)
        assert row.share_images_low <= row.share_images <= row.share_images_high


def test_order_and_names_of_rows_bear_on_nothing(tmp_path: Path) -> None:
    """Shuffled rows and renamed persons give the same table."""
    rng = np.random.default_rng(3)
    rows = people(list(rng.choice(NAMES, 200, p=TRAINING)), list(rng.integers(1, 6, 200)))
    tables = []
    for number, each in enumerate(
        (rows, rows.sample(frac=1, random_state=1), rows.assign(subject_id="x" + rows.subject_id))
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        training = loaded(folder, each)
        tables.append(
            composition(training, group_rows(training, ["ethnicity"])[0], None, as_of=DAY)
        )
    pd.testing.assert_frame_equal(tables[0], tables[1])
    pd.testing.assert_frame_equal(tables[0], tables[2])


def test_the_interval_of_an_image_share_covers(tmp_path: Path) -> None:
    """95 % intervals of the share of images, with 1 to 30 images a person, cover 92 to 98 %."""
    rng = np.random.default_rng(11)
    worlds, covered, naive = 400, 0, 0
    # images a person depend on the group, so that the true share of images is not that of persons
    mean = {"a": 9.0, "b": 3.0}
    truth = 0.2 * mean["a"] / (0.2 * mean["a"] + 0.8 * mean["b"])
    for _ in range(worlds):
        kind = np.where(rng.random(300) < 0.2, "a", "b")
        images = 1 + rng.negative_binomial(1, 1 / np.where(kind == "a", mean["a"], mean["b"]))
        person = np.repeat(np.arange(300), images).astype(np.int32)
        table = pd.DataFrame(
            {
                "kind": pd.Categorical(kind[person]),
                "disposal": pd.Categorical(["unknown"] * len(person)),
                "captured": np.datetime64("NaT", "s"),
                "retained_until": np.datetime64("NaT", "s"),
            }
        )
        training = TrainingSet(
            "world",
            table,
            person,
            pd.Index([str(each) for each in range(300)]),
            ("kind",),
            False,
            False,
            pd.DataFrame(),
            len(person),
            "",
            True,
        )
        row = composition(training, group_rows(training, ["kind"])[0], None, as_of=DAY).loc[1]
        covered += row.share_images_low <= truth <= row.share_images_high
        half = 1.96 * np.sqrt(row.share_images * (1 - row.share_images) / len(person))
        naive += abs(row.share_images - truth) <= half
    assert 0.92 <= covered / worlds <= 0.985
    assert naive / worlds < 0.8


def broken() -> pd.DataFrame:
    """A manifest with everything that a real one gets wrong; a fifth of the rows each."""
    rows = people(["White"] * 40 + ["Black"] * 40 + ["IC3"] * 20, [2] * 100)
    count = len(rows)
    rows["captured"] = "2024-03-01"
    rows["retained_until"] = "2027-03-01"
    rows["disposal"] = "Charged"
    rows["sex"] = np.where(np.arange(count) % 10 < 3, None, "female")
    rows.loc[0:9, "captured"] = "2031-01-01"
    rows.loc[10:14, "retained_until"] = "2020-01-01"
    rows.loc[15:17, "disposal"] = "???"
    rows.loc[18:19, "captured"] = "sometime"
    rows.loc[20, "subject_id"] = None
    rows.loc[22, "path"] = rows.loc[21, "path"]
    return rows


def test_a_broken_manifest_is_told_row_by_row(tmp_path: Path) -> None:
    """Every fault with its number of rows and what was done about it."""
    training = loaded(tmp_path, broken())
    faults = training.faults.set_index(["column", "fault"])["rows"].to_dict()
    assert faults == {
        ("subject_id", "no person named"): 1,
        ("path", "path listed before"): 1,
        ("captured", "no date of the form 2024-05-31"): 2,
        ("captured", "date in the future"): 10,
        ("retained_until", "retained until before captured"): 5,
        ("disposal", "unknown disposal"): 3,
        ("ethnicity", "two systems of labels in one column"): 40,
        ("sex", "label missing"): faults[("sex", "label missing")],
    }
    assert training.rows == 200
    assert len(training.table) == 198
    assert training.table["captured"].isna().sum() == 12
    assert not training.faults["example"].str.contains("p1").any()


def test_a_broken_manifest_is_found_by_the_rules(tmp_path: Path) -> None:
    """A flag for a third of the labels missing, a finding per fault, and none about nobody."""
    training = loaded(tmp_path, broken())
    table = pd.concat(
        [composition(training, each, None, as_of=DAY) for each in group_rows(training, ["sex"])]
    )
    evidence = AuditEvidence(training, table, pd.DataFrame(), pd.DataFrame(columns=["label"]))
    faults = ManifestFaults().findings(evidence)
    assert len(faults) == 7
    assert all(str(each.statement).count("rows") for each in faults)
    # sex is a person's label: the other image of a person fills it in, and ties stay unlabelled
    (missing,) = MissingLabels().findings(evidence)
    assert missing.keys["group"] == UNLABELLED
    kept = PastRetention().findings(evidence)
    assert [each.level for each in kept] == ["note"]


def test_without_disposals_it_cannot_be_told_who_was_released(tmp_path: Path) -> None:
    """A manifest that lacks the column never passes in silence."""
    training = loaded(tmp_path, people(["a", "b"] * 30, [1] * 60))
    table = composition(training, group_rows(training, ["ethnicity"])[0], None, as_of=DAY)
    evidence = AuditEvidence(training, table, pd.DataFrame(), pd.DataFrame(columns=["label"]))
    assert [each.level for each in ReleasedAndKept().findings(evidence)] == ["undecided"]


@pytest.mark.parametrize(
    ("persons", "level"), [(20, "undecided"), (4000, "flag")], ids=["few", "many"]
)
def test_representation_needs_enough_persons(tmp_path: Path, persons: int, level: str) -> None:
    """Three times the share is a flag in a large set, and cannot be told in a small one."""
    black = round(0.12 * persons)
    rows = people(["Black"] * black + ["White"] * (persons - black), [1] * persons)
    training = loaded(tmp_path, rows)
    told = expected({"Black": 0.06, "White": 0.94})
    grouped = in_categories(group_rows(training, ["ethnicity"])[0], told)
    table = composition(training, grouped, told, as_of=DAY)
    evidence = AuditEvidence(training, table, pd.DataFrame(), pd.DataFrame(columns=["label"]))
    found = Representation().findings(evidence)
    assert found[0].level == level
    assert "Black" in found[0].statement


def test_a_level_set_is_seldom_flagged(tmp_path: Path) -> None:
    """Of 200 sets drawn from the population itself at most 5 % raise a flag of representation."""
    rng = np.random.default_rng(5)
    told = expected(dict(zip(NAMES, CENSUS, strict=True)))
    flagged = 0
    for _ in range(200):
        kind = rng.choice(NAMES, 400, p=CENSUS)
        table = pd.DataFrame(
            {
                "ethnicity": pd.Categorical(kind),
                "disposal": pd.Categorical(["unknown"] * 400),
                "captured": np.datetime64("NaT", "s"),
                "retained_until": np.datetime64("NaT", "s"),
            }
        )
        training = TrainingSet(
            "level",
            table,
            np.arange(400, dtype=np.int32),
            pd.Index([str(each) for each in range(400)]),
            ("ethnicity",),
            False,
            False,
            pd.DataFrame(),
            400,
            "",
            True,
        )
        grouped = in_categories(group_rows(training, ["ethnicity"])[0], told)
        rows = composition(training, grouped, told, as_of=DAY)
        evidence = AuditEvidence(training, rows, pd.DataFrame(), pd.DataFrame(columns=["label"]))
        flagged += any(each.level == "flag" for each in Representation().findings(evidence))
    assert flagged <= 10


def test_a_few_persons_cannot_show_a_shift() -> None:
    """Where chance alone reaches the gate the answer is undecided, with a number of persons."""
    found = divergence(np.array([9.0, 11.0]), np.array([0.5, 0.5]))
    row = {"label": "sex", "reference": "r", "groups": 2, "subjects": 20, "psi_images": 0.0}
    row |= {"psi": found.psi, "psi_by_chance": found.psi_by_chance, "effect_w": found.effect_w}
    evidence = AuditEvidence(None, pd.DataFrame(), pd.DataFrame([row]), pd.DataFrame())  # type: ignore[arg-type]
    (answer,) = CompositionShift().findings(evidence)
    assert answer.level == "undecided"
    assert "about 39 persons" in answer.statement


def test_a_share_that_climbs_is_watched(tmp_path: Path) -> None:
    """A group from a tenth to a third over two years is found, and only that one."""
    rng = np.random.default_rng(2)
    quarter = np.repeat(np.arange(8), 400)
    black = rng.random(len(quarter)) < 0.1 + 0.03 * quarter
    rows = people(list(np.where(black, "Black", "White")), [1] * len(quarter))
    rows["captured"] = [f"{2023 + q // 4}-{3 * (q % 4) + 2:02d}-15" for q in quarter]
    training = loaded(tmp_path, rows)
    (grouped,) = group_rows(training, ["ethnicity"])
    told = history(training, grouped)
    assert told["images"].sum() == len(rows)
    assert told["period"].iloc[0] == "2023Q1"
    evidence = AuditEvidence(training, pd.DataFrame(), pd.DataFrame(), told)
    assert [each.keys["group"] for each in RisingShare().findings(evidence)] == ["Black"]


def test_sources_add_up(tmp_path: Path) -> None:
    """Shares of a source, and of a group, each sum to one."""
    rng = np.random.default_rng(4)
    rows = people(list(rng.choice(NAMES, 90)), [2] * 90)
    rows["source"] = rng.choice(["suite A", "suite B"], len(rows))
    training = loaded(tmp_path, rows)
    table = sources(training, group_rows(training, ["ethnicity"])[0])
    assert table.groupby("source")["share_of_source"].sum().round(9).eq(1).all()
    assert table.groupby("group")["share_of_group"].sum().round(9).eq(1).all()


def test_officer_codes_meet_the_census(tmp_path: Path) -> None:
    """IC1 and IC2 are White, IC5 is Asian, and an unknown code is refused by name."""
    from omegaconf import OmegaConf

    node = OmegaConf.to_object(OmegaConf.load(config_dir() / "reference" / "census_2021.yaml"))
    assert isinstance(node, dict)
    part = StatedShares(**{key: value for key, value in node.items() if key != "_target_"})
    told = part.expected("ethnicity", ["IC1", "IC2", "IC5", UNLABELLED])
    assert told is not None
    assert told.category == {"IC1": "White", "IC2": "White", "IC5": "Asian"}
    assert part.expected("sex", ["male"]) is None
    with pytest.raises(InputError, match="IC9"):
        part.expected("ethnicity", ["IC9"])


def test_a_force_area_gives_joint_shares(tmp_path: Path) -> None:
    """A file with both columns speaks of the combination and of each label alone."""
    file = tmp_path / "area.csv"
    file.write_text("sex,ethnicity,count\nf,White,40\nm,White,40\nf,Black,15\nm,Black,5\n")
    part = PopulationFile(path=str(file))
    alone = part.expected("ethnicity", ["White", "Black"])
    both = part.expected("ethnicity/sex", ["White/f", "Black/m"])
    assert alone is not None
    assert both is not None
    assert alone.shares == {"Black": 0.2, "White": 0.8}
    assert both.shares["Black/m"] == pytest.approx(0.05)
    assert part.expected("age", ["x"]) is None


def test_a_day_counts_as_it_is_written(tmp_path: Path) -> None:
    """Times and zones move no day: midnight in British summer time is not the day before."""
    rows = people(["a"] * 6, [1] * 6)
    rows["captured"] = [
        *("2024-06-01T00:00:00+01:00", "2024-06-01 23:59", " 2024-06-01 "),
        *("2024-06-01T23:30:00-05:00", "2024-06", "2024-06-01x"),
    ]
    rows["retained_until"] = ["9999-12-31", *["2026-11-23T00:00+01:00"] * 5]
    training = loaded(tmp_path, rows)
    assert training.table["captured"].dt.strftime("%Y-%m-%d").tolist()[:4] == ["2024-06-01"] * 4
    assert training.table["captured"].isna().tolist() == [False] * 4 + [True] * 2
    (row,) = training.faults.itertuples()
    assert (row.fault, row.rows) == ("no date of the form 2024-05-31", 2)
    table = composition(training, group_rows(training, ["ethnicity"])[0], None, as_of=DAY)
    assert table["overdue_images"].tolist() == [0, 0]


def test_spaces_split_nobody_and_words_for_nothing_are_no_group(tmp_path: Path) -> None:
    """``p1`` and ``p1 `` are one person; blanks, NS and "Not stated" are unlabelled, and said."""
    rows = pd.DataFrame({"subject_id": ["p1", "p1 ", " p2", "p3", "p4", "p5", " "]})
    rows["ethnicity"] = ["White", "White ", "NS", "Not stated", "  ", "unlabelled", "White"]
    training = loaded(tmp_path, rows)
    assert list(training.subjects) == ["p1", "p2", "p3", "p4", "p5"]
    (grouped,) = group_rows(training, ["ethnicity"])
    assert grouped.groups == ("White", UNLABELLED)
    assert np.bincount(grouped.code).tolist() == [2, 4]
    faults = training.faults.set_index("fault")["rows"]
    assert faults["label missing"] == 3
    assert faults["no person named"] == 1
    rows["ethnicity"] = ALL
    with pytest.raises(InputError, match="names the pooled row"):
        group_rows(loaded(tmp_path, rows), ["ethnicity"])


def test_two_spellings_of_a_category_do_not_contradict_each_other(tmp_path: Path) -> None:
    """A person with one image under IC1 and one under "white" is White, not unlabelled."""
    rows = people(["IC1", "IC3", "Black"], [2, 2, 2])
    rows.loc[1, "ethnicity"] = "white"
    rows.loc[3, "ethnicity"] = "Black"
    rows.loc[5, "ethnicity"] = "White"
    part = StatedShares(
        name="n",
        source="s",
        shares={"ethnicity": {"White": 9, "white": 1, "Black": 10}},
        spellings={"ethnicity": {"White": ["IC1"], "Black": ["IC3"]}},
    )
    training = loaded(tmp_path, rows)
    written = list(training.table["ethnicity"].cat.categories)
    told = part.expected("ethnicity", written)
    assert told is not None
    assert told.shares == {"White": 0.5, "Black": 0.5}
    (grouped,) = group_rows(training, ["ethnicity"], categories={"ethnicity": told.category})
    names = [grouped.groups[code] for code in grouped.code]
    assert names == ["White", "White", "Black", "Black", UNLABELLED, UNLABELLED]
    assert grouped.contradicted == 1


def test_self_defined_codes_meet_the_census() -> None:
    """Every 18+1 code goes where the documented map sends it."""
    from omegaconf import OmegaConf

    from frbench.label_systems import label_map

    node = OmegaConf.to_object(OmegaConf.load(config_dir() / "reference" / "census_2021.yaml"))
    assert isinstance(node, dict)
    part = StatedShares(**{key: value for key, value in node.items() if key != "_target_"})
    for code, wanted in label_map("sde_to_census5").codes.items():
        if wanted is not None:
            told = part.expected("ethnicity", [code])
            assert told is not None
            assert told.category[code].lower() == wanted


def test_better_labelling_is_no_rising_share(tmp_path: Path) -> None:
    """Labels that were missing at first and are not now raise nobody's share of the labelled."""
    rng = np.random.default_rng(5)
    quarter = np.repeat(np.arange(8), 600)
    kind = rng.choice(["Black", "White"], len(quarter), p=[0.2, 0.8])
    known = rng.random(len(quarter)) < np.where(quarter < 4, 0.5, 1.0)
    rows = people(list(np.where(known, kind, "")), [1] * len(quarter))
    rows["captured"] = [f"{2023 + q // 4}-{3 * (q % 4) + 2:02d}-15" for q in quarter]
    # a date that stands for "unknown" is no reason to compare one image with all others
    rows.loc[0, "captured"] = "1900-01-01"
    rows["sex"] = rng.choice(["f", "m", ""], len(rows))
    training = loaded(tmp_path, rows)
    told = pd.concat(
        [history(training, each) for each in group_rows(training, ["ethnicity", "sex"])]
    )
    found = RisingShare().findings(AuditEvidence(training, pd.DataFrame(), pd.DataFrame(), told))
    assert not [each for each in found if each.level == "watch"]
    assert not any(UNLABELLED in each.statement for each in found)


@pytest.mark.parametrize(("unknown", "level"), [(0.9, "undecided"), (0.01, "note")])
def test_unknown_disposals_are_no_all_clear(tmp_path: Path, unknown: float, level: str) -> None:
    """That nobody is known to be released means little where most disposals are unknown."""
    rows = people(["a", "b"] * 50, [1] * 100)
    rows["disposal"] = ["see file" if at < 100 * unknown else "charged" for at in range(100)]
    training = loaded(tmp_path, rows)
    table = composition(training, group_rows(training, ["ethnicity"])[0], None, as_of=DAY)
    evidence = AuditEvidence(training, table, pd.DataFrame(), pd.DataFrame(columns=["label"]))
    (found,) = ReleasedAndKept().findings(evidence)
    assert found.level == level
    assert f"isposal of {100 * unknown:.0f} " in found.statement

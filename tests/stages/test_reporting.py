"""The report as text: complete, closed, escaped, and in words where nothing can be measured."""

from __future__ import annotations

import html
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frbench.formatting import (
    cell_sentence,
    label_text,
    one_in,
    percent,
    rate_text,
    scientific,
    shorten,
)
from frbench.page.curves import error_curve
from frbench.page.embedding import embedded
from frbench.page.sentences import change_sentence, verdict
from frbench.page.svg import linear_axis, log_axis
from frbench.reporting import ReportData, render_report, write_report
from frbench.values import Finding
from reporting_fixtures import (
    EIGHT,
    HOSTILE,
    fifty_groups,
    findings,
    histogram,
    hostile,
    one_arm,
    one_group,
    two_arms,
    with_gaps_in_the_data,
)

RUNS = {
    "one arm": one_arm,
    "three thresholds": lambda: one_arm(targets=(1e-3, 1e-2, 1e-4)),
    "two arms": two_arms,
    "one group": one_group,
    "fifty groups": fifty_groups,
    "hostile labels": hostile,
    "empty cells": with_gaps_in_the_data,
}
VOID = {"meta", "br", "img", "input", "link", "hr"}


@pytest.fixture(scope="module", params=list(RUNS))
def rendered(request: pytest.FixtureRequest) -> tuple[ReportData, str]:
    """Each made-up run with its page."""
    run = RUNS[request.param]()
    return run, render_report(run)


class Outline(HTMLParser):
    """Checks that every element is closed in order, and keeps what the tests ask about."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.headings: list[int] = []
        self.handlers: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "srcset", "action", "data", "poster"):
                self.addresses.append(value or "")
            if name.startswith("on") or name == "style":
                self.handlers.append(f"{tag} {name}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text.append(data)


def outline(page: str) -> Outline:
    """The parsed page."""
    parser = Outline()
    parser.feed(page)
    parser.close()
    return parser


def test_the_page_is_closed_unique_and_ordered(rendered: tuple[ReportData, str]) -> None:
    """Elements nest, ids are unique, headings skip no level, and inner links lead somewhere."""
    seen = outline(rendered[1])
    assert seen.open == []
    assert len(seen.ids) == len(set(seen.ids))
    assert seen.headings[0] == 1
    assert seen.headings.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(seen.headings, seen.headings[1:], strict=False))
    assert {each[1:] for each in seen.addresses} <= set(seen.ids)


def test_nothing_outside_the_file_is_named(rendered: tuple[ReportData, str]) -> None:
    """No address, import, inline handler or style attribute; the policy forbids the rest."""
    page = rendered[1]
    seen = outline(page)
    assert all(address.startswith("#") for address in seen.addresses)
    assert not re.search(r"(?i:https?://|//[a-z0-9.-]+\.[a-z]{2}|@import)|\burl\(", page)
    assert seen.handlers == []
    assert "default-src 'none'" in html.unescape(page)
    assert not seen.tags & {"img", "iframe", "link", "object", "embed", "form", "base"}


def test_the_page_is_small_enough_for_a_letter(rendered: tuple[ReportData, str]) -> None:
    """At most 3 MB with fifty groups, and 400 kB where there are few."""
    run, page = rendered
    assert len(page.encode()) < (3_000_000 if len(run.groups) > 20 else 400_000)


def test_every_group_stands_in_every_table(rendered: tuple[ReportData, str]) -> None:
    """No group is dropped, whatever its label: its full text heads a row of each kind's table."""
    run, page = rendered
    heads = re.findall(r'<th scope="row"><bdi>(.*?)</bdi></th>', page, re.S)
    for group in run.groups:
        assert (
            heads.count(
                html.escape(label_text(group)).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
            )
            >= 3
        )


def test_undefined_values_are_said_in_words(rendered: tuple[ReportData, str]) -> None:
    """No nan, inf or None reaches a reader, in text or in the embedded tables."""
    seen = outline(rendered[1])
    words = re.findall(r"\b(?:nan|inf|None|NaT)\b", " ".join(seen.text))
    assert words == []
    json.loads(embedded_json(rendered[1]), parse_constant=lambda name: pytest.fail(name))


def embedded_json(page: str) -> str:
    """The content of the data script."""
    found = re.search(r'<script type="application/json" id="tables">(.*?)</script>', page, re.S)
    assert found
    return found[1]


def unpacked(page: str) -> dict[str, pd.DataFrame]:
    """The embedded tables, decoded by a reader that shares no code with the writer."""
    tables = {}
    for name, columns in json.loads(embedded_json(page)).items():
        tables[name] = pd.DataFrame(
            {
                column["name"]: [column["values"][code] for code in column["codes"]]
                if "codes" in column
                else column["values"]
                for column in columns
            }
        )
    return tables


def test_the_embedded_rates_are_the_rates(rendered: tuple[ReportData, str]) -> None:
    """Counts come back exactly, rates to seven digits, labels letter by letter."""
    run, page = rendered
    back = unpacked(page)["rates"]
    for column in ("errors", "comparisons", "probe_group", "reference_group", "kind"):
        assert back[column].tolist() == run.rates[column].tolist()
    np.testing.assert_allclose(back["rate"].astype(float), run.rates["rate"], rtol=1e-6)


def test_hostile_labels_stay_text() -> None:
    """A label neither opens a tag nor leaves its script, and is still shown."""
    page = render_report(hostile())
    seen = outline(page)
    assert page.count("<script") == 2
    assert "alert" not in "".join(re.findall(r"<script>(.*?)</script>", page, re.S))
    text = "".join(seen.text)
    for label in HOSTILE:
        assert label_text(label) in text
    assert "\u202e" not in page.replace(embedded_json(page), "")


def test_hostile_findings_names_and_records_stay_text() -> None:
    """Statements, matcher names and configuration are data too."""
    run = one_arm()
    bad = "</script><script>alert(2)</script>"
    run = replace(
        run,
        findings=[Finding("x", "flag", bad)],
        record=run.record | {"config": {bad: bad}, "run_id": bad, "matchers": [{"name": bad}]},
    )
    page = render_report(run)
    assert page.count("<script") == 2
    assert outline(page).open == []


@given(st.text(max_size=40))
def test_any_text_survives_embedding(text: str) -> None:
    """Whatever the text, the JSON holds no angle bracket and gives it back."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        return
    packed = embedded({"t": pd.DataFrame({"a": [text, text, text]})})
    assert not set("<>&") & set(packed)
    assert json.loads(packed)["t"][0]["values"] == [text]


def test_zero_and_empty_cells_are_marked() -> None:
    """A group without errors gets an upper bound; one without comparisons a reason."""
    text = " ".join(outline(render_report(with_gaps_in_the_data())).text)
    assert "0 (at most 3.0\u00a0×\u00a010⁻⁴)" in text
    assert "at most 1 in 3,300" in text
    assert "not measurable" in text
    assert "no comparisons of two different people in this cell" in text
    assert "Thin evidence." in text
    assert f"Groups of fewer than 20 persons: “{EIGHT[6]}”." in text


def test_synthetic_is_said_loudly_and_only_then() -> None:
    """The banner stands on a synthetic set's page and on no other."""
    run = one_arm()
    real = replace(
        run, record=run.record | {"benchmark": run.record["benchmark"] | {"synthetic": False}}
    )
    assert "no real person was measured" in render_report(run)
    assert "no real person was measured" not in render_report(real)


def test_two_arms_tell_the_story() -> None:
    """The largest supported rise of a group stands in the verdict, not that of a measure."""
    run = two_arms()
    change = run.change[(run.change["kind"] == "FMR") & run.change["group"].isin(EIGHT)]
    worst = change.loc[change["ratio"].idxmax()]
    story = change_sentence(run.change, ("before", "after"), EIGHT)
    assert worst["group"] in story
    assert "rose" in story
    rose, fell = int((change["low"] > 1).sum()), int((change["high"] < 1).sum())
    assert f"clearly rose for {rose} and clearly fell for {fell} of 8 groups" in story
    assert html.escape(story, quote=False) in render_report(run)


def test_a_rise_is_told_before_a_larger_fall() -> None:
    """The group that got worse is named even where another one gained more."""
    change = two_arms().change
    fell = (change["kind"] == "FMR") & (change["group"] == EIGHT[7])
    change.loc[fell, ["ratio", "low", "high"]] = [0.001, 0.0005, 0.002]
    assert f"“{EIGHT[0]}” rose" in change_sentence(change, ("before", "after"), EIGHT)
    only = change[~change["group"].isin(EIGHT) | (change["ratio"] < 1)]
    assert f"“{EIGHT[7]}” fell" in change_sentence(only, ("before", "after"), EIGHT)


def test_no_clear_change_is_said_as_such() -> None:
    """Ratios whose intervals hold 1 make no story."""
    change = two_arms().change.assign(low=0.5, high=2.0)
    assert "beyond what chance allows" in change_sentence(change, ("before", "after"), EIGHT)


@pytest.mark.parametrize(
    ("levels", "word"),
    [
        ("flag undecided", "Flagged"),
        ("undecided note", "Undecided"),
        ("watch note", "Watch"),
        ("note", "Nothing flagged"),
        ("", "No judgement"),
    ],
)
def test_the_verdict_follows_the_most_serious_level(levels: str, word: str) -> None:
    """Undecided outranks watch: missing evidence is never sold as a clean result."""
    assert verdict([Finding("x", level, "s") for level in levels.split()]).word == word


def test_the_verdict_counts() -> None:
    """The sentence carries the numbers of findings."""
    assert verdict(findings()).sentence.startswith("1 of 4 findings is beyond the limit set.")


def test_a_sparse_record_still_makes_a_page() -> None:
    """Keys that are missing are printed as not recorded."""
    page = render_report(replace(one_arm(), record={}, histograms={}))
    assert "not recorded" in page
    assert outline(page).open == []


def test_writing_gives_the_same_bytes_twice(tmp_path: Path) -> None:
    """The page depends on its data only."""
    first = write_report(one_arm(), tmp_path / "a.html").read_bytes()
    assert first == write_report(one_arm(), tmp_path / "b.html").read_bytes()


@given(st.floats(1e-9, 1.0))
def test_written_rates_mean_the_rate(rate: float) -> None:
    """Each spelling, read back, is the rate to its digits."""
    mantissa, _, exponent = scientific(rate).replace("\u00a0", "").partition("×10")
    digits = exponent.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    assert math.isclose(float(mantissa) * 10.0 ** int(digits or 0), rate, rel_tol=0.051)
    assert math.isclose(float(percent(rate).removesuffix(" %")) / 100, rate, rel_tol=0.054)
    words = one_in(rate)
    if rate <= 0.5:
        number, _, unit = words.removeprefix("1 in ").replace(",", "").partition(" ")
        scale = {"": 1, "million": 1e6, "billion": 1e9}[unit]
        assert math.isclose(1 / (float(number) * scale), rate, rel_tol=0.051)


@pytest.mark.parametrize(
    ("rate", "low", "high", "kind", "text"),
    [
        (1.2e-3, 0.9e-3, 1.6e-3, "FMR", "1.2\u00a0×\u00a010⁻³ (0.90–1.6)"),
        (0.0, 0.0, 3.1e-4, "FMR", "0 (at most 3.1\u00a0×\u00a010⁻⁴)"),
        (
            1e-5,
            1e-6,
            2e-3,
            "FMR",
            "1.0\u00a0×\u00a010⁻⁵ (1.0\u00a0×\u00a010⁻⁶ to 2.0\u00a0×\u00a010⁻³)",
        ),
        (0.0234, 0.0181, 0.0293, "FNMR", "2.3 % (1.8–2.9)"),
        (0.0, 0.0, 0.0004, "FTE", "0 (at most 0.040 %)"),
        (math.nan, 0.0, 1.0, "FMR", "not measurable"),
    ],
)
def test_rates_as_printed(rate: float, low: float, high: float, kind: str, text: str) -> None:
    """The spelling that the handbook promises."""
    assert rate_text({"rate": rate, "low": low, "high": high, "kind": kind}) == text


def test_read_outs_hold_counts_and_reservation() -> None:
    """A mark's read-out is a full sentence."""
    row = with_gaps_in_the_data().rates.query("kind == 'FMR' and errors == 0 and comparisons > 0")
    text = cell_sentence(row.iloc[0].to_dict())
    assert "0 false matches in 60,000" in text
    assert text.endswith("no errors seen")


@given(st.text())
def test_labels_lose_only_what_cannot_be_seen(text: str) -> None:
    """No control, override or surrogate is left, and plain text is unchanged."""
    shown = label_text(text)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown)
    if text.isprintable() and text:
        assert shown == text
    assert len(shorten(shown, 20)) <= 21


@given(st.lists(st.floats(1e-8, 1.0), min_size=1, max_size=9))
def test_axes_keep_order_and_bounds(values: list[float]) -> None:
    """Larger values never stand further left, and all stay on the axis."""
    for axis in (log_axis(values), linear_axis(values)):
        places = [axis.at(value) for value in sorted(values)]
        assert places == sorted(places)
        assert all(4 <= place <= 96 for place in places)
        assert axis.at(max(values)) > axis.at(0.0)


def test_error_curves_equal_a_plain_count() -> None:
    """FMR and FNMR at each edge equal those of scores put back at their bins' lower edges."""
    counts = histogram(2, np.random.default_rng(3))
    curve = error_curve(counts, 1)
    assert curve is not None
    mated, non_mated = (np.repeat(counts.edges[:-1], counts.counts[kind, 1, 1]) for kind in (0, 1))
    for at in (0, 200, 300, 400, 511):
        assert curve.fmr[at] == np.mean(non_mated >= counts.edges[at])
        assert curve.fnmr[at] == np.mean(mated < counts.edges[at])


def test_curves_without_errors_say_so() -> None:
    """A group that no threshold confuses gets a sentence, not an equal error rate of nothing."""
    run = one_arm()
    counts = run.histograms[""].counts.copy()
    counts[0, 0, 0] = np.eye(1, counts.shape[-1], counts.shape[-1] - 1, dtype=np.int64)[0] * 50
    counts[0, 1, 1] = 0
    perfect = replace(run, histograms={"": replace(run.histograms[""], counts=counts)})
    page = render_report(perfect)
    assert page.count("no threshold gives errors of both kinds") == 2
    assert page.count("not measurable: no mated or no non-mated comparisons") == 2


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    digits = colour if len(colour) == 6 else "".join(one * 2 for one in colour)
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_have_enough_contrast(theme: str) -> None:
    """Text reaches 4.5 to 1 and marks 3 to 1 on what they stand on, in figures as well."""
    page = render_report(one_group())
    start = page.index(f"color-scheme:{theme}")
    found = dict(
        re.findall(r"--([a-z0-9-]+):#([0-9a-f]{3,6})", page[start : page.index("}", start)])
    )
    text = [
        (name, on) for name in ("ink", "soft", "target", "link") for on in ("card", "band", "bg")
    ]
    text += [
        (level, ground)
        for level in ("flag", "watch", "undecided", "note")
        for ground in (f"{level}-bg", "card", "band")
    ]
    text += [(f"s{step}i", f"s{step}") for step in range(8)] + [("head-ink", "head")]
    marks = [(name, on) for name in ("now", "then", "target", "focus") for on in ("card", "band")]
    for pairs, least in ((text, 4.5), (marks, 3.0)):
        for name, ground in pairs:
            high, low = sorted((luminance(found[name]), luminance(found[ground])), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= least, (theme, name, ground)

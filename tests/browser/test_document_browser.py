"""The page of the other verbs in a real Chromium, on an audit of a hostile made-up manifest."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from frbench.audit_rules import AuditEvidence, judge_audit
from frbench.audit_rules.missing_labels import MissingLabels
from frbench.audit_rules.released_and_kept import ReleasedAndKept
from frbench.audit_rules.representation import Representation
from frbench.auditing.composition import Expected, composition, group_rows, in_categories
from frbench.auditing.history import history, sources
from frbench.auditing.manifest import OVERLAP_COLUMNS, TrainingManifest
from frbench.auditing.page import audit_page
from frbench.page.document import write_document

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
AXE = os.environ.get("FRBENCH_AXE", "")
DAY = date(2026, 11, 23)
HOSTILE = (
    "<script>alert('x')</script>",
    "=cmd|' /C calc'!A0",
    '"><img src=x onerror=alert(1)>',
    "W" * 300,
    "\u202egnirts",
)


@pytest.fixture(scope="module")
def table() -> dict[str, pd.DataFrame]:
    """Filled by ``address`` with the tables that the page carries."""
    return {}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, table: dict[str, pd.DataFrame]) -> str:
    """Address of a written page with every section and every kind of finding."""
    folder = tmp_path_factory.mktemp("document")
    rng = np.random.default_rng(3)
    who = np.arange(900) // 2
    rows = pd.DataFrame(
        {
            "path": [f"{at}.jpg" for at in range(900)],
            "subject_id": [f"person-{each}" for each in who],
            "captured": (np.datetime64("2023-01-01") + rng.integers(0, 900, 900)).astype(str),
            "disposal": rng.choice(["NFA", "charged", "<b>?</b>"], 900),
            "source": rng.choice(HOSTILE[:2], 900),
            "kind": np.append(HOSTILE, "")[np.minimum(who % 9, 5)],
        }
    )
    file = folder / "training.csv"
    rows.to_csv(file, index=False)
    training = TrainingManifest(path=str(file), synthetic=True).load(as_of=DAY)
    told = Expected(
        "kind", dict.fromkeys(HOSTILE, 0.2), {name: name for name in HOSTILE}, np.inf, "<i>told</i>"
    )
    grouped = in_categories(group_rows(training, ["kind"])[0], told)
    shares = composition(training, grouped, told, as_of=DAY)
    table |= {
        "composition": shares,
        "history": history(training, grouped),
        "sources": sources(training, grouped),
        "overlap": pd.DataFrame(columns=list(OVERLAP_COLUMNS)),
    }
    evidence = AuditEvidence(training, shares, pd.DataFrame(), table["history"])
    rules = {
        "representation": Representation(),
        "released": ReleasedAndKept(),
        "missing": MissingLabels(),
    }
    findings = judge_audit(evidence, rules)
    page = audit_page(training, table, [told], findings, {"rules": {}, "note": HOSTILE[0]}, DAY)
    return write_document(page, folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    """One headless browser for all tests."""
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                *("--no-sandbox", "--disable-gpu", "--no-first-run"),
                *("--disable-background-networking", "--disable-component-update"),
                "--disable-sync",
            ],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: sync_api.Browser, address: str):
    """Opens the page in a context of its own; complaints and requests are kept on ``page.said``."""
    contexts = []

    def open_page(**options: object) -> sync_api.Page:
        contexts.append(
            browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        )
        page = contexts[-1].new_page()
        page.said = []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("dialog", lambda dialog: page.said.append(dialog.message))
        page.on(
            "request",
            lambda request: page.said.append(request.url) if request.url != address else None,
        )
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_no_complaint_no_request_no_sideways_scroll(visit, width: int) -> None:
    """The page fits each width, loads nothing else and says nothing on the console."""
    page = visit(viewport={"width": width, "height": 740})
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.said == []


def test_hostile_labels_are_shown_not_run(visit) -> None:
    """No element comes from a label, a source, a population or a record, and all can be read."""
    page = visit()
    assert page.locator("img, main b, main i").count() == 0
    assert page.locator("script").count() == 2
    assert page.locator("th", has_text="<script>alert('x')</script>").first.is_visible()
    assert page.get_by_text("<i>told</i>").first.is_visible()
    assert "person-" not in page.content()
    assert page.said == []


def test_downloads_hold_the_tables_and_no_formula(visit, table) -> None:
    """The CSV has the rows of the table; a label that starts a formula is given a quote."""
    page = visit()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download composition.csv").click()
    text = Path(waiting.value.path()).read_text(encoding="utf-8")
    found = pd.read_csv(io.StringIO(text), keep_default_na=False)
    assert found["images"].tolist() == table["composition"]["images"].tolist()
    assert f"'{HOSTILE[1]}" in set(found["group"])
    assert HOSTILE[1] not in set(found["group"])


def test_shares_sort_by_their_numbers(visit) -> None:
    """7.9 % stands below 20.1 %, as no sorting of texts would have it."""
    page = visit()
    part = page.locator("#shares table").first
    part.get_by_role("button", name="Share of persons").click()
    shares = part.evaluate("t => [...t.tBodies[0].rows].map(r => Number(r.cells[4].dataset.v))")
    assert shares == sorted(shares, reverse=True)
    assert len(set(shares)) > 2


def test_it_is_complete_without_script_and_prints_light(visit) -> None:
    """Without scripts all tables show; on paper all is light, without buttons."""
    page = visit(java_script_enabled=False)
    assert page.locator("#shares table:visible").count() == 1
    assert page.locator("button:visible").count() == 0
    dark = visit(color_scheme="dark")
    assert dark.pdf(prefer_css_page_size=True).count(b"/Type /Page\n") > 1
    dark.emulate_media(media="print")
    assert dark.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert dark.locator(".js-only:visible").count() == 0


@pytest.mark.skipif(not AXE, reason="FRBENCH_AXE names no copy of axe.min.js")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(visit, scheme: str) -> None:
    """The accessibility rules of axe-core hold in both themes."""
    page = visit(color_scheme=scheme, bypass_csp=True)
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [(each["id"], len(each["nodes"])) for each in found["violations"]] == []

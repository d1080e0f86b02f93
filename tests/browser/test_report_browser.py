"""The report in a real Chromium: what a person sees, with and without script, wide and narrow."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from frbench.reporting import write_report
from reporting_fixtures import HOSTILE, fifty_groups, hostile, one_arm, two_arms

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


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Addresses of the written pages."""
    folder = tmp_path_factory.mktemp("pages")
    runs = {
        "one": one_arm(targets=(1e-3, 1e-2)),
        "two": two_arms(),
        "hostile": hostile(),
        "fifty": fifty_groups(targets=(1e-3,)),
    }
    return {name: write_report(run, folder / f"{name}.html").as_uri() for name, run in runs.items()}


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    """One headless browser for all tests."""
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: sync_api.Browser):
    """Opens a page in a context of its own; complaints and requests are kept on ``page.said``."""
    contexts = []

    def open_page(address: str, **options: object) -> sync_api.Page:
        contexts.append(
            browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        )
        page = contexts[-1].new_page()
        page.said = []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on(
            "request",
            lambda request: page.said.append(request.url) if request.url != address else None,
        )
        page.on("dialog", lambda dialog: page.said.append(dialog.message))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", ["one", "two", "hostile", "fifty"])
@pytest.mark.parametrize("width", [320, 360, 1280])
def test_no_complaint_no_request_no_sideways_scroll(visit, pages, name: str, width: int) -> None:
    """The page fits each width, loads nothing else and says nothing on the console."""
    page = visit(pages[name], viewport={"width": width, "height": 740})
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.said == []


def test_the_first_screen_answers(visit, pages) -> None:
    """Verdict, the flag, the warning, people and set stand above the fold of a desktop."""
    page = visit(pages["one"])
    for text in (
        "Flagged",
        "People in the worst-off group",
        "no real person was measured",
        "480",
        "People and images",
        "Thresh",
    ):
        box = page.get_by_text(text).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 800, text


def test_sorting_follows_the_numbers(visit, pages) -> None:
    """A click on a heading sorts by the number behind the text, a second one turns it round."""
    page = visit(pages["one"])
    table = page.locator("#fmr table").first
    heading = table.get_by_role("button", name="False matches")

    def errors() -> list[float]:
        return table.evaluate("t => [...t.tBodies[0].rows].map(r => Number(r.cells[3].dataset.v))")

    heading.click()
    assert errors() == sorted(errors(), reverse=True)
    assert table.locator("th[aria-sort=descending]").count() == 1
    heading.press("Enter")
    assert errors() == sorted(errors())
    assert table.locator("th[aria-sort=ascending]").count() == 1


def test_the_chooser_shows_one_operating_point(visit, pages) -> None:
    """The chosen operating point is shown and the other hidden."""
    page = visit(pages["one"])
    shown = "els => els.filter(e => !e.hidden).map(e => e.dataset.op)"
    assert set(page.locator("[data-op]").evaluate_all(shown)) == {"FMR 0.001"}
    page.get_by_label("Operating point shown").select_option("FMR 0.01")
    assert set(page.locator("[data-op]").evaluate_all(shown)) == {"FMR 0.01"}


def test_the_slider_shows_the_precomputed_rates(visit, pages) -> None:
    """It starts at the operating threshold; an arrow key moves a step to stricter rates."""
    page = visit(pages["one"])
    slider = page.get_by_label("Scores from this value on count as a match")
    told = page.locator(".slider output")
    rows = page.locator(".slider tbody tr")
    assert float(told.inner_text()) == pytest.approx(0.412, abs=0.02)
    assert rows.count() == 8
    before, start = float(told.inner_text()), rows.last.inner_text()
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert float(told.inner_text()) > before
    assert slider.get_attribute("aria-valuetext") == told.inner_text()
    assert rows.last.inner_text() != start
    chosen, embedded = page.evaluate(
        """() => {
          const table = JSON.parse(document.getElementById("tables").textContent).thresholds;
          const of = (name) => { const c = table.find((one) => one.name === name);
            return c.codes ? c.codes.map((k) => c.values[k]) : c.values; };
          const step = Number(document.querySelector(".slider input").value);
          const at = [...new Set(of("threshold"))][step];
          const row = of("threshold").lastIndexOf(at);
          return [at, of("fnmr")[row]];
        }"""
    )
    histogram = one_arm(targets=(1e-3, 1e-2)).histograms[""]
    missed = histogram.counts[0, 7, 7][histogram.edges[:-1] < chosen - 1e-6].sum()
    assert embedded == pytest.approx(missed / histogram.counts[0, 7, 7].sum(), rel=1e-5)
    page.emulate_media(media="print")
    assert not page.locator(".slider").is_visible()


def test_the_slider_takes_hostile_labels_as_text(visit, pages) -> None:
    """Labels of the slider's table, made by script, are text and no element."""
    page = visit(pages["hostile"])
    assert page.locator(".slider tbody th", has_text="<script>alert('x')</script>").is_visible()
    assert page.locator("img").count() == 0
    assert page.said == []


def test_it_is_complete_without_script(visit, pages) -> None:
    """With scripts off, every operating point and table shows, and no dead button."""
    page = visit(pages["one"], java_script_enabled=False)
    assert page.locator("#fmr table:visible").count() == 2
    assert page.locator("#fmr svg[role=img]:visible").count() == 2
    assert page.locator("button:visible, select:visible").count() == 0
    assert page.locator("svg title").count() > 50


def test_dark_by_preference_and_by_button(visit, pages) -> None:
    """The system's preference is followed until the button says otherwise."""
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = (visit(pages["one"], color_scheme=scheme) for scheme in ("light", "dark"))
    colours = light.evaluate(ground), dark.evaluate(ground)
    assert colours[0] != colours[1]
    light.get_by_role("button", name="Dark colours").click()
    dark.get_by_role("button", name="Light colours").click()
    assert (dark.evaluate(ground), light.evaluate(ground)) == colours


def test_marks_tell_their_numbers_on_hover(visit, pages) -> None:
    """The read-out of a mark holds counts and persons."""
    page = visit(pages["one"], reduced_motion="reduce")
    page.evaluate("document.getElementById('fmr').scrollIntoView()")
    page.evaluate("new Promise(done => setTimeout(done, 250))")  # scrolling hides the read-out
    page.locator("#fmr svg .mark:visible").first.hover()
    told = page.locator(".tip")
    told.wait_for(state="visible", timeout=3000)
    assert "persons" in told.inner_text()


def test_downloads_hold_the_tables_and_no_formula(visit, pages) -> None:
    """The CSV has the rows of the table; a label that starts a formula is given a quote."""
    page = visit(pages["hostile"])
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download rates.csv").click()
    text = Path(waiting.value.path()).read_text(encoding="utf-8")
    table = pd.read_csv(io.StringIO(text), keep_default_na=False)
    rates = hostile().rates
    assert len(table) == len(rates)
    assert table["errors"].tolist() == rates["errors"].tolist()
    expected = [f"'{label}" if label.startswith("=") else label for label in HOSTILE]
    assert set(table["probe_group"]) == {*expected, "all"}
    assert page.said[1:] == []


def test_hostile_labels_are_shown_not_run(visit, pages) -> None:
    """No element comes from a label, and the label can be read."""
    page = visit(pages["hostile"])
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2
    assert page.locator("th", has_text="<script>alert('x')</script>").first.is_visible()
    assert page.said == []


def test_it_prints_light_and_whole(visit, pages) -> None:
    """The PDF has pages; on paper all is light, opened and unhidden, without buttons."""
    page = visit(pages["one"], color_scheme="dark")
    assert page.pdf(prefer_css_page_size=True).count(b"/Type /Page\n") > 3
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("[data-op]").evaluate_all(
        "els => els.every(e => getComputedStyle(e).display !== 'none')"
    )
    assert page.locator(".js-only:visible").count() == 0


def test_the_keyboard_reaches_the_result_first(visit, pages) -> None:
    """The first stop is the skip link, and it leads to the result."""
    page = visit(pages["one"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main"


@pytest.mark.skipif(not AXE, reason="FRBENCH_AXE names no copy of axe.min.js")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["one", "two", "hostile"])
def test_axe_finds_no_violation(visit, pages, name: str, scheme: str) -> None:
    """The accessibility rules of axe-core hold in both themes."""
    page = visit(pages[name], color_scheme=scheme, bypass_csp=True)
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [(each["id"], len(each["nodes"])) for each in found["violations"]] == []

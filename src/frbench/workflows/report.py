"""Draw a run's page again, or print it as PDF through an installed Chromium."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from frbench.errors import InputError
from frbench.printing import print_pdf
from frbench.reporting import write_report
from frbench.stored_run import read_record, read_report_data

OVERVIEW = """\
Draws the page of a finished run again from its tables and counts, or prints its page as PDF.
Nothing is measured anew, no network is needed, and the run folder stays as it is.

  frbench report runs/lfw                      writes lfw.html here
  frbench report runs/lfw --html page.html     the same, elsewhere
  frbench report runs/lfw --pdf                prints the run's own page to lfw.pdf
  frbench report runs/lfw --html --pdf         draws it again and prints that

A page is drawn again for runs of evaluate; other verbs' pages are copied as they are. The PDF needs
an installed Chromium, Chrome or Edge; FRBENCH_CHROMIUM names one that is not on the path."""


def command(arguments: Sequence[str]) -> int:
    """Writes what was asked for and prints where it lies."""
    chosen = _parser().parse_args(list(arguments))
    folder, html, pdf = chosen.run, chosen.html, chosen.pdf
    if folder is None and pdf and (Path(pdf).expanduser() / "run.json").is_file():
        folder, pdf = pdf, ""  # frbench report --pdf RUN
    if folder is None:
        raise InputError("name the folder of a finished run: frbench report RUN [--pdf FILE].")
    place = Path(folder).expanduser()
    record = read_record(place)
    name = place.resolve().name
    if html is None and pdf is None:
        html = ""
    targets = {
        kind: _target(place, Path(given or f"{name}.{kind}").expanduser())
        for kind, given in (("html", html), ("pdf", pdf))
        if given is not None
    }
    with tempfile.TemporaryDirectory(prefix="frbench-page-") as scratch:
        own = place / "report.html"
        page = own
        if "html" in targets or not own.is_file():
            page = _draw(place, str(record.get("verb", "")), Path(scratch) / "report.html")
        if "html" in targets:
            _write(targets["html"], page.read_bytes())
        if "pdf" in targets:
            print_pdf(page, targets["pdf"])
    for target in targets.values():
        print(target)
    return 0


def _draw(folder: Path, verb: str, target: Path) -> Path:
    """The page drawn from the run's tables, or the run's own where only its verb could."""
    own = folder / "report.html"
    if verb != "evaluate" and own.is_file():
        return own
    return write_report(read_report_data(folder), target)


def _target(run: Path, target: Path) -> Path:
    """The file to write; never one inside the run, whose files are hashed."""
    if run.resolve() in target.resolve().parents:
        raise InputError(
            f"{target} lies inside the run folder, whose files are hashed in run.json; choose a "
            "place outside it."
        )
    if target.is_dir():
        raise InputError(f"{target} is a folder; name a file, such as {target / 'report.html'}.")
    return target


def _write(target: Path, content: bytes) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    except OSError as cause:
        raise InputError(
            f"{target}: cannot be written ({cause.strerror}); choose another file."
        ) from cause


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, as every verb does."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise InputError(f"frbench report: {message}; frbench report --help shows what it takes.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="frbench report",
        description=OVERVIEW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", nargs="?", metavar="RUN", help="folder of a finished run")
    parser.add_argument("--html", nargs="?", const="", metavar="FILE", help="draw the page again")
    parser.add_argument("--pdf", nargs="?", const="", metavar="FILE", help="print the page")
    return parser

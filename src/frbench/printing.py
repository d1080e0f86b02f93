"""A page of ours -> PDF, through the print of an installed Chromium; nothing is fetched."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from frbench.errors import InputError

BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    *("chrome", "microsoft-edge", "msedge", "brave-browser"),
)
"""Commands that print a page in the same way, in the order in which they are looked for."""

PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
"""Where the same programs stand on systems that do not put them on the path."""

FLAGS = (
    *("--headless", "--disable-gpu", "--no-first-run", "--disable-extensions", "--mute-audio"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    # whatever a page or the browser itself might ask for, no name resolves
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--no-pdf-header-footer",
)
SECONDS = 180.0


def find_chromium() -> str:
    """The command of an installed Chromium; ``FRBENCH_CHROMIUM`` names one that is elsewhere.

    Raises:
        InputError: none is installed.
    """
    named = os.environ.get("FRBENCH_CHROMIUM", "")
    if named:
        found = shutil.which(named)
        if found is None:
            raise InputError(
                f"FRBENCH_CHROMIUM={named}: there is no such program; mend or unset it."
            )
        return found
    for name in (*BROWSERS, *PLACES):
        found = shutil.which(name)
        if found is not None:
            return found
    raise InputError(
        "a PDF needs an installed Chromium, Chrome or Edge, and none was found; install one, name "
        "it in FRBENCH_CHROMIUM, or open report.html in any browser and print it to a file."
    )


def print_pdf(page: Path, target: Path) -> Path:
    """Prints the HTML file ``page`` to ``target``, which appears only when it is whole.

    Raises:
        InputError: no Chromium, or it fails, or ``target`` cannot be written.
    """
    browser = find_chromium()
    with tempfile.TemporaryDirectory(prefix="frbench-print-") as scratch:
        made = Path(scratch) / "page.pdf"
        said = _print(browser, page, made, Path(scratch) / "profile", sandbox=not _is_root())
        if not _is_pdf(made) and not _is_root():
            # inside many containers the browser cannot build its sandbox; the page is our own file
            # and its policy admits one script by its hash
            said = _print(browser, page, made, Path(scratch) / "open", sandbox=False)
        if not _is_pdf(made):
            raise InputError(
                f"{browser} did not print {page} ({said}); open the page in a browser and print it "
                "there, or name another program in FRBENCH_CHROMIUM."
            )
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(made, target)
        except OSError as cause:
            raise InputError(
                f"{target}: cannot be written ({cause.strerror}); choose another file."
            ) from cause
    return target


def _print(browser: str, page: Path, made: Path, profile: Path, *, sandbox: bool) -> str:
    """Runs the browser once; gives the last line that it said, or how it ended."""
    command = [browser, *FLAGS, *([] if sandbox else ["--no-sandbox"])]
    command += [f"--user-data-dir={profile}", f"--print-to-pdf={made}", page.resolve().as_uri()]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"no answer in {SECONDS:g} s"
    except OSError as cause:
        return str(cause)
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else f"exit status {done.returncode}"


def _is_pdf(made: Path) -> bool:
    if not made.is_file():
        return False
    content = made.read_bytes()
    return content.startswith(b"%PDF-") and b"%%EOF" in content[-64:]


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0

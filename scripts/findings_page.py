"""Write ``docs/findings.md`` from the rules, or with ``--check`` say whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from frbench.catalogue import PAGE, catalogue_page

if __name__ == "__main__":
    page = Path(__file__).resolve().parents[1] / PAGE
    if "--check" in sys.argv[1:]:
        current = page.is_file() and page.read_text(encoding="utf-8") == catalogue_page()
        sys.exit(
            0 if current else f"{PAGE} is not what the rules say; run scripts/findings_page.py"
        )
    page.write_text(catalogue_page(), encoding="utf-8", newline="\n")

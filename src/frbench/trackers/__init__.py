"""Where a finished run is also told: experiment trackers, fed from the run folder.

The folder is the truth. A tracker reads it when it is complete and in its place; whatever a tracker
does, the run is there.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Protocol


class Tracker(Protocol):
    """Copies what others may look up of a run to another place."""

    def record(self, folder: Path, *, sweep: Path | None = None) -> str:
        """Tells of the finished run in ``folder``; gives the place in words.

        Args:
            folder: a complete run folder.
            sweep: the folder of the sweep that the run is one job of, or None.
        """
        ...


def tell(tracker: Tracker | None, folder: Path, *, sweep: Path | None = None) -> bool:
    """Tells the tracker of a finished run; a tracker that fails costs a line on stderr, no more."""
    if tracker is None:
        return True
    try:
        place = tracker.record(folder, sweep=sweep)
    except Exception as failure:
        reason = " ".join(str(failure).split())[:300]
        print(
            f"frbench: the run is complete in {folder}, but it could not be tracked "
            f"({type(failure).__name__}: {reason}).",
            file=sys.stderr,
        )
        return False
    print(f"Tracked: {place}", file=sys.stderr)
    return True

"""Is one group falsely matched more often than the others?"""

from __future__ import annotations

from frbench.rules._groups import GapToOthers


class GapExceeds(GapToOthers):
    """Flags a group whose within-group FMR exceeds ``limit`` times the mean of the other groups."""

    code = "fmr_gap"
    kind = "FMR"

"""Is one group missed more often than the others?"""

from __future__ import annotations

from frbench.rules._groups import GapToOthers


class FnmrGap(GapToOthers):
    """Flags a group whose FNMR exceeds ``limit`` times the mean of the other groups."""

    code = "fnmr_gap"
    kind = "FNMR"

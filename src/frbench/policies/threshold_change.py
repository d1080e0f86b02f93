"""The threshold is raised: fewer false alerts for everybody, and fewer true ones."""

from __future__ import annotations

from frbench.policies import Setting
from frbench.policies.as_is import AsIs


class ThresholdChange(AsIs):
    """Multiplies every group's FMR and the TPIR; it changes how many, hardly who.

    Args:
        first: the round from which it stands.
        false_matches: factor on FMR, from the DET curve of the matcher.
        recognised: factor on TPIR, from the same curve.
    """

    name = "threshold change"

    def __init__(
        self, *, first: int = 5, false_matches: float = 0.1, recognised: float = 0.9
    ) -> None:
        if not (false_matches > 0 and recognised >= 0):
            raise ValueError("false_matches must lie above 0, and recognised not below it")
        self.first = first
        self._raised = Setting(false_matches, recognised)

    def threshold(self, at: int) -> Setting:
        """The new one from ``first`` on."""
        return self._raised if at >= self.first else Setting()

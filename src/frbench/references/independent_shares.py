"""``reference=synthetic``: labels that are independent of each other in the population."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from frbench.auditing.composition import Expected, label_parts
from frbench.references.stated_shares import StatedShares


class IndependentShares:
    """Shares per single label; a combination's share is the product of its parts'."""

    def __init__(
        self, *, name: str, source: str, shares: Mapping[str, Mapping[str, float]]
    ) -> None:
        """``shares``: label -> category -> share or count."""
        self.name, self._source, self._shares = name, source, shares

    def expected(self, label: str, groups: Sequence[str]) -> Expected | None:
        """Shares of the label or combination; None where a part of it is unknown."""
        parts = label_parts(label)
        if any(part not in self._shares for part in parts):
            return None
        crossed = {"": 1.0}
        for part in parts:
            whole = math.fsum(self._shares[part].values())
            crossed = {
                f"{name}/{value}" if name else str(value): share * size / whole
                for name, share in crossed.items()
                for value, size in self._shares[part].items()
            }
        stated = StatedShares(name=self.name, source=self._source, shares={label: crossed})
        return stated.expected(label, groups)

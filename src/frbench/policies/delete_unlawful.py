"""Images of people released without charge are deleted and no longer kept."""

from __future__ import annotations

from frbench.policies.as_is import AsIs


class DeleteUnlawful(AsIs):
    """Deletes them in round ``first`` and keeps none afterwards."""

    name = "delete images of people released"

    def __init__(self, *, first: int = 5) -> None:
        self.first = first

    def keeps_released(self, at: int) -> bool:
        """Only before ``first``."""
        return at < self.first

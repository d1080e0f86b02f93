"""The shelf of reference populations: what the shares of a training set are compared with.

A part gives the expected shares of one label's groups, or None where it says nothing of the
label; it never guesses a share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from frbench.auditing.composition import Expected


class Reference(Protocol):
    """A population."""

    name: str

    def expected(self, label: str, groups: Sequence[str]) -> Expected | None:
        """Shares for ``label``, keyed by the manifest's own group names.

        Raises InputError when it knows the label and a group is in no category of it.
        """
        ...

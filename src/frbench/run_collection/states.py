"""What a check can find."""

from __future__ import annotations

from dataclasses import dataclass

OK, CHANGED, ABSENT, NOT_CHECKED = "ok", "changed", "absent", "not checked"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        what: a file of the folder, the key of an input, or a table.
        state: ``ok``, ``changed``, ``absent`` (it is not there to be looked at) or
            ``not checked``.
        words: what was found.
    """

    what: str
    state: str
    words: str

"""The one exception that users meet: a sentence saying what is wrong, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence


class InputError(Exception):
    """Bad input from outside: a file, a label, a setting. The command line prints it and exits 2.

    The message is one sentence: what is wrong, where (file, row, column, value), how to mend it.
    """

    @classmethod
    def listing(cls, heading: str, problems: Sequence[str], *, shown: int = 20) -> InputError:
        """One error for many problems, so that all are mended in one go."""
        lines = [f"  - {problem}" for problem in problems[:shown]]
        if len(problems) > shown:
            lines.append(f"  … and {len(problems) - shown} more")
        return cls("\n".join([heading, *lines]))

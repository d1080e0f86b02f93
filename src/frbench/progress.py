"""Progress on the terminal: a bar per stage where somebody watches, a line per stage where not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

Report = Callable[[int, int], None]
"""Called with (done, total); either may repeat."""


class Stages:
    """Shows one stage after the other and remembers how long each took.

    Attributes:
        seconds: wall time per stage, in the order they ran.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[Report]:
        """One stage; gives the callable that it reports its progress to."""
        started = time.monotonic()
        if self.console.is_terminal:
            with _bar(self.console) as bar:
                task = bar.add_task(name, total=None)
                yield lambda done, total: bar.update(task, completed=done, total=total)
                bar.update(task, completed=1, total=1)
        else:
            self.console.print(f"{name} …", highlight=False)
            yield lambda done, total: None
        self.seconds[name] = round(time.monotonic() - started, 3)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<36}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
    )

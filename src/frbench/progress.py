"""Progress on the terminal: a bar per stage where somebody watches, a line per stage where not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

Report = Callable[[int, int], None]
"""Called with (done, total); either may repeat."""


@contextmanager
def stage(name: str, console: Console, seconds: dict[str, float]) -> Iterator[Report]:
    """Shows one stage and notes how long it took in ``seconds[name]``.

    Yields the callable that the stage reports its progress to.
    """
    started = time.monotonic()
    if console.is_terminal:
        with Progress(
            TextColumn("{task.description:<34}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
        ) as bar:
            task = bar.add_task(name, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
            total = bar.tasks[task].total or 1
            bar.update(task, completed=total, total=total)
    else:
        yield lambda done, total: None
    seconds[name] = round(time.monotonic() - started, 3)
    if not console.is_terminal:
        console.print(f"{name}: {seconds[name]:.1f} s", highlight=False)

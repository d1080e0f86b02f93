"""Asking a vendor whose calls fail: again, then in halves, until the culprit is alone."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from frbench.errors import InputError
from frbench.opaque.vendor import BadAnswer, TimedOut, VendorFailed

Item = TypeVar("Item")
Answer = TypeVar("Answer")

LOST_IN_A_ROW = 5
"""Single items that may fail for good, with no answer between them, before the vendor is taken
for dead."""
TIMEOUTS_IN_A_ROW = 20
"""The same for calls that did not end in time; halving a batch down to one item takes fewer."""


class Persistence:
    """Counts what went wrong over all threads, and decides when it is enough.

    Args:
        who: how sentences name the vendor.
        retries: repetitions of a failed call before it is halved. A call that timed out is halved
            at once, since waiting is what costs, and repeated only when it holds a single item.

    Attributes:
        trouble: ``calls``, ``failed calls``, ``time-outs``, ``lost items``.
    """

    def __init__(self, who: str, retries: int) -> None:
        self.who, self.retries = who, retries
        self.trouble: Counter[str] = Counter()
        self._lost_in_a_row = self._timeouts_in_a_row = 0
        self._lock = threading.Lock()

    def ask(
        self,
        items: Sequence[Item],
        call: Callable[[Sequence[Item]], Sequence[Answer]],
        lost: Callable[[str], Answer],
    ) -> list[Answer]:
        """One answer per item; ``lost(reason)`` for an item whose own call keeps failing.

        Raises InputError when the vendor keeps answering what it may not, or seems dead.
        """
        failed = VendorFailed()
        for _ in range(self.retries + 1):
            try:
                answers = list(call(items))
            except VendorFailed as cause:
                failed = cause
                self._count("calls", "failed calls", *["time-outs"] * isinstance(cause, TimedOut))
                if isinstance(cause, TimedOut):
                    self._note_time_out(str(cause))
                    if len(items) > 1:
                        break
                continue
            self._count("calls")
            self._lost_in_a_row = self._timeouts_in_a_row = 0
            return answers
        if isinstance(failed, BadAnswer):
            raise InputError(f"{self.who}: {failed}")
        if len(items) == 1:
            return [lost(self._lost(str(failed)))]
        half = len(items) // 2
        return [*self.ask(items[:half], call, lost), *self.ask(items[half:], call, lost)]

    def _lost(self, reason: str) -> str:
        self._count("lost items")
        with self._lock:
            self._lost_in_a_row += 1
            dead = self._lost_in_a_row >= LOST_IN_A_ROW
        if dead:
            raise InputError(
                f"{self.who}: {LOST_IN_A_ROW} items in a row failed however often and singly they "
                f"were asked (last: {reason}); mend it and run the same command again, which goes "
                "on from what was finished"
            )
        return reason

    def _note_time_out(self, reason: str) -> None:
        with self._lock:
            self._timeouts_in_a_row += 1
            dead = self._timeouts_in_a_row >= TIMEOUTS_IN_A_ROW
        if dead:
            raise InputError(
                f"{self.who}: {TIMEOUTS_IN_A_ROW} calls in a row were not answered in time (last: "
                f"{reason}); allow more with matcher.timeout=SECONDS, or mend it, and run the same "
                "command again, which goes on from what was finished"
            )

    def _count(self, *names: str) -> None:
        with self._lock:
            self.trouble.update(names)


def in_order(
    work: Iterable[Item], call: Callable[[Item], Answer], *, workers: int, stop: Callable[[], None]
) -> Iterator[Answer]:
    """``map`` by several threads, a few ahead of the consumer, in order.

    When a call raises, or the consumer gives up, ``stop`` ends the calls in flight before the
    error goes on, so that nobody waits for a vendor that hangs.
    """
    source = iter(work)
    waiting: list[Future[Answer]] = []
    pool = ThreadPoolExecutor(workers, thread_name_prefix="vendor")
    try:
        while True:
            while len(waiting) < 2 * workers:
                try:
                    waiting.append(pool.submit(call, next(source)))
                except StopIteration:
                    break
            if not waiting:
                break
            # any error counts, not only that of the first in line, which may hang
            for each in waiting:
                if each.done() and (error := each.exception()) is not None:
                    raise error
            if waiting[0].done():
                yield waiting.pop(0).result()
            else:
                wait([each for each in waiting if not each.done()], return_when=FIRST_COMPLETED)
    except BaseException:
        for each in waiting:
            each.cancel()
        stop()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)

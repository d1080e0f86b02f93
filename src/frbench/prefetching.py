"""Images made ready ahead of the matcher, so that it never waits for them.

Two ways with the same outcome. Threads start at once, but take turns at Python's lock with the
matcher. Processes (torch's DataLoader) have locks of their own, but take seconds to start. Left
to itself the stage begins in threads and goes over to processes where the work that it measures
is long enough to pay for them.
"""

from __future__ import annotations

import math
import os
import pickle
import signal
import sys
import time
import types
import warnings
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from frbench.errors import InputError
from frbench.imaging import quiet_decoding
from frbench.preparing import Preparation, Prepared, Source

WORTH_PROCESSES = 20.0
"""Seconds of preparation still to do, over all cores, from which processes are started."""

_FIRST_SEGMENT = 64
_CHUNK = 8


def prepared_files(
    sources: Sequence[Source],
    preparation: Preparation,
    *,
    ahead: int,
    workers: int | None = None,
) -> Generator[Prepared, None, None]:
    """The outcomes in the order given, the same for any number of workers.

    About ``ahead`` files are worked on before they are asked for, so memory does not grow with
    the set. Close the generator to stop early; no child outlives it.

    Args:
        sources: the files.
        preparation: what is done to each.
        ahead: files to be ready before they are asked for.
        workers: processes to prepare in; 0 stays in threads of this one; None begins in threads
            and starts a process per core where enough is left to do.

    Raises:
        InputError: a setting that cannot work, or a worker that was killed.
    """
    if workers is None:
        yield from _as_it_pays(sources, preparation, ahead)
    elif workers == 0:
        for item, _ in _in_threads(sources, preparation, ahead):
            yield item
    else:
        if not _can_travel(preparation):
            raise InputError(
                f"embedding.workers={workers}: the detector {preparation.detector.name} cannot be "
                "handed to other processes; set embedding.workers=0"
            )
        yield from _in_processes(sources, preparation, ahead, workers)


def cores() -> int:
    """Cores that this process may use, which in a container can be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _as_it_pays(
    sources: Sequence[Source], preparation: Preparation, ahead: int
) -> Generator[Prepared, None, None]:
    """Threads for one segment after the other, each twice as long, until processes would pay."""
    done, length = 0, _FIRST_SEGMENT
    while done < len(sources):
        spent = 0.0
        segment = sources[done : done + length]
        for item, seconds in _in_threads(segment, preparation, ahead):
            spent += seconds
            yield item
        done, length = done + len(segment), 2 * length
        left = spent / len(segment) * (len(sources) - done) / cores()
        if left > WORTH_PROCESSES and _can_travel(preparation):
            yield from _in_processes(sources[done:], preparation, ahead, cores())
            return


def _chunks(sources: Sequence[Source], length: int) -> list[Sequence[Source]]:
    return [sources[start : start + length] for start in range(0, len(sources), length)]


def _in_threads(
    sources: Sequence[Source], preparation: Preparation, ahead: int
) -> Generator[tuple[Prepared, float], None, None]:
    """Each outcome with the processor seconds that it took."""

    def timed(chunk: Sequence[Source]) -> list[tuple[Prepared, float]]:
        started = time.thread_time()
        made = preparation.of_files(chunk)
        each = (time.thread_time() - started) / len(chunk)
        return [(item, each) for item in made]

    queue: deque[Future[list[tuple[Prepared, float]]]] = deque()
    with quiet_decoding(), ThreadPoolExecutor(cores()) as pool:
        try:
            for chunk in _chunks(sources, preparation.together):
                queue.append(pool.submit(timed, chunk))
                if len(queue) * preparation.together > ahead:
                    yield from queue.popleft().result()
            while queue:
                yield from queue.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True)
class _Refused:
    """An InputError on its way home; DataLoader would wrap it in its own words."""

    message: str


class _Chunked:
    """The files as a map-style dataset: an item is a chunk of outcomes.

    Crops travel as numpy arrays through the pipe, not as tensors: those take shared memory, of
    which containers have little.
    """

    def __init__(self, chunks: Sequence[Sequence[Source]], preparation: Preparation) -> None:
        self._chunks = chunks
        self._preparation = preparation

    def __len__(self) -> int:
        return len(self._chunks)

    def __getitem__(self, place: int) -> list[Prepared] | _Refused:
        try:
            return self._preparation.of_files(self._chunks[place])
        except InputError as error:
            return _Refused(str(error))


def _in_processes(
    sources: Sequence[Source], preparation: Preparation, ahead: int, workers: int
) -> Generator[Prepared, None, None]:
    together = preparation.together
    length = together if together > 1 else _CHUNK
    chunks = _chunks(sources, length)
    iterator = _started(_Chunked(chunks, _portable(preparation)), workers, ahead / length)
    try:
        for _ in chunks:
            try:
                made = next(iterator)
            except RuntimeError as error:
                raise _explained(error) from None
            if isinstance(made, _Refused):
                raise InputError(made.message)
            yield from made
    finally:
        # the loader's own end waits for the garbage collector, which an exception holds up
        iterator._shutdown_workers()


def _started(dataset: _Chunked, workers: int, ahead: float) -> Any:
    import torch
    from torch.utils.data import DataLoader

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its remark on more workers than cores: they were asked
        loader: Any = DataLoader(
            dataset,  # type: ignore[arg-type]  # it asks for no more than a length and items
            batch_size=None,
            collate_fn=_as_it_is,
            num_workers=workers,
            prefetch_factor=max(2, math.ceil(ahead / workers)),
            # a fork would copy the locks that torch's and the terminal's threads hold
            multiprocessing_context="spawn",
            worker_init_fn=_settle,
            generator=torch.Generator(),  # without one it draws from everybody's random state
        )
        with _interrupts_held(), _without_main():
            return iter(loader)


def _as_it_is(made: Any) -> Any:
    return made


def _settle(worker: int) -> None:
    """In the child: no remarks on odd metadata."""
    quiet_decoding().__enter__()


def _portable(preparation: Preparation) -> Preparation:
    """With the known digests as a plain set, which can be sent."""
    known = getattr(preparation.known, "images", None)
    return replace(preparation, known=frozenset(known())) if known else preparation


def _can_travel(preparation: Preparation) -> bool:
    """Whether other processes can prepare: not on a GPU, nor with what lives in a script."""
    if not getattr(preparation.detector, "in_processes", True):
        return False
    try:
        with _without_main():
            pickle.dumps(replace(preparation, known=frozenset()))
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return True


def _explained(error: RuntimeError) -> Exception:
    if "DataLoader worker" not in str(error):
        return error
    return InputError(
        "a process that prepares images was ended from outside, mostly for want of memory "
        f"({str(error).splitlines()[0].rstrip('. ')}); finished templates are kept: run the same "
        "command again, with embedding.workers=1 or 0 to need less memory"
    )


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Children started here never see Ctrl-C; what it means is for the parent to say."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _without_main() -> Iterator[None]:
    """Keeps ``multiprocessing`` from running the caller's script again in every child."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main

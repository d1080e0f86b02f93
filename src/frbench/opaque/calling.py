"""HTTP calls to a vendor's server: retried with growing pauses, slowed down when it asks for it."""

from __future__ import annotations

import email.utils
import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np

from frbench.opaque.vendor import BadAnswer, TimedOut, VendorFailed

MOST_BYTES = 256 * 2**20
"""Largest answer that is read."""
BUSY = (429, 503)
"""Statuses by which a server asks for fewer calls."""
PASSING = (*BUSY, 500, 502, 504)
"""Statuses after which the same call may succeed."""


@dataclass(frozen=True)
class Patience:
    """How long a call is kept up.

    Attributes:
        timeout: seconds from sending a request to the end of its answer.
        attempts: calls in all, a busy server's refusals not counted; at most two may time out.
        pause: seconds before the second attempt; doubled for each further one.
        longest: seconds that a pause may last, whatever the server asks for.
        busy: seconds that a server may go on refusing one call as busy.
    """

    timeout: float = 60.0
    attempts: int = 5
    pause: float = 0.5
    longest: float = 60.0
    busy: float = 600.0


class Caller:
    """One server, called by several threads. A refusal as busy makes all of them wait.

    Args:
        url: of the server, without the path.
        connections: at most.
        patience: how long a call is kept up.
        rng: draws the jitter of pauses, so that clients that were refused together do not come
            back together; no result depends on it.
        sleep: waits; handed in by tests that look at the pauses.
    """

    def __init__(
        self,
        url: str,
        *,
        connections: int,
        patience: Patience,
        rng: np.random.Generator,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._patience, self._rng = patience, rng
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._lock = threading.Lock()
        self._not_before = 0.0
        self._client = httpx.Client(
            base_url=url.rstrip("/"),
            timeout=patience.timeout,
            limits=httpx.Limits(max_connections=connections),
            follow_redirects=False,
            trust_env=False,
        )

    def call(self, verb: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer's JSON.

        Raises:
            TimedOut, VendorFailed: no answer came, however often it was asked.
            BadAnswer: the answer is no JSON, or the server says that the question is wrong.
        """
        failed = VendorFailed(f"{verb} {path} was never answered")
        waited = 0
        attempt, refused_since = 0, None
        while attempt < self._patience.attempts:
            self._wait_for_turn()
            if self._stopped.is_set():
                raise VendorFailed("stopped")
            try:
                status, headers, content = self._once(verb, path, body)
            except httpx.TimeoutException:
                failed = TimedOut(f"{verb} {path} was not answered within "
                                  f"{self._patience.timeout:g} s")  # fmt: skip
                waited += 1
                if waited > 1:
                    break
            except (httpx.HTTPError, OSError, RuntimeError) as cause:  # a closed client is the last
                failed = VendorFailed(f"{verb} {path} failed ({type(cause).__name__}: {cause})")
            else:
                if status == 200:
                    return _json(content, f"{verb} {path}")
                said = content[:200].decode("utf-8", "replace")
                failed = VendorFailed(f"{verb} {path} was answered with status {status}: {said}")
                if status not in PASSING:
                    raise BadAnswer(str(failed))
                if status in BUSY:
                    refused_since = refused_since or time.monotonic()
                    if time.monotonic() - refused_since < self._patience.busy:
                        self._hold_back(_asked_pause(headers))
                        continue
            attempt += 1
            if attempt < self._patience.attempts:
                self._sleep(self._pause(attempt))
        raise failed

    def stop(self) -> None:
        """End pauses and connections; calls in flight fail."""
        self._stopped.set()
        self._client.close()

    def _once(
        self, verb: str, path: str, body: Mapping[str, Any] | None
    ) -> tuple[int, httpx.Headers, bytes]:
        """One request. Its whole answer must come within the timeout, drop by drop or not."""
        end = time.monotonic() + self._patience.timeout
        with self._client.stream(verb, path, json=body) as answer:
            pieces, size = [], 0
            for piece in answer.iter_bytes():
                pieces.append(piece)
                size += len(piece)
                if size > MOST_BYTES:
                    raise BadAnswer(f"{verb} {path}: the answer exceeds {MOST_BYTES // 2**20} MiB")
                if time.monotonic() > end:
                    raise httpx.ReadTimeout("too slow")
            return answer.status_code, answer.headers, b"".join(pieces)

    def _pause(self, attempt: int) -> float:
        """Doubled each time, and anything between half and all of that."""
        with self._lock:
            share = 0.5 + 0.5 * float(self._rng.random())
        return (
            float(min(self._patience.pause * 2.0 ** (attempt - 1), self._patience.longest)) * share
        )

    def _hold_back(self, asked: float | None) -> None:
        """Nobody calls before the pause is over that the server asked for."""
        pause = self._pause(1) if asked is None else min(asked, self._patience.longest)
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + pause)

    def _wait_for_turn(self) -> None:
        with self._lock:
            left = self._not_before - time.monotonic()
        if left > 0:
            self._sleep(left)


def _asked_pause(headers: httpx.Headers) -> float | None:
    """Seconds that ``Retry-After`` names, as a number or as a date; None without one."""
    said = headers.get("retry-after", "").strip()
    if not said:
        return None
    with suppress(ValueError):
        return max(float(said), 0.0)
    try:
        return max(email.utils.parsedate_to_datetime(said).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return None


def _json(content: bytes, what: str) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        raise BadAnswer(f"{what}: the answer is no JSON: {content[:80]!r}") from None

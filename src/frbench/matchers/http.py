"""``matcher=http``: a vendor's server that enrols images and compares templates.

The contract is docs/vendor-http.openapi.yaml: ``GET /info``, ``POST /enrol``, ``POST /compare``.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from frbench.errors import InputError
from frbench.opaque.vendor import BadAnswer, Effort, Enrolled, VendorFailed, VendorInfo
from frbench.values import Float64s, Int64s


class HttpMatcher:
    """A black box behind a server.

    Args:
        url: of the server, e.g. ``http://127.0.0.1:8000``.
        remote: allow a server on another machine. Photographs are sent to it.
        name: what results call the matcher; default the vendor's own name.
        revision: any text; change it when the vendor changed something that its version does not
            show, so that no old template is used.
        timeout: seconds that one call may take.
        attempts: times a call is made before it counts as failed.
        references: templates that one call compares a probe with, at most.
        workers: calls at a time.
        budget, asymmetric, tolerance: see Effort.

    Raises InputError for an address that cannot be used, or a setting out of range.
    """

    def __init__(
        self,
        *,
        url: str,
        remote: bool = False,
        name: str | None = None,
        revision: str = "",
        timeout: float = 60.0,
        attempts: int = 5,
        references: int = 512,
        workers: int = 4,
        budget: int = 2_000_000,
        asymmetric: bool = False,
        tolerance: float = 0.0,
    ) -> None:
        self._url = _usable(url, remote)
        if not (isinstance(timeout, int | float) and 0 < timeout < math.inf):
            raise InputError(f"matcher.timeout={timeout} must be a number of seconds above 0")
        for key, value in (("attempts", attempts), ("references", references)):
            if not isinstance(value, int) or value < 1:
                raise InputError(f"matcher.{key}={value} must be a whole number >= 1")
        self._given_name, self._revision = name, revision
        self._timeout, self._attempts, self._references = float(timeout), attempts, references
        # retries are the caller's own, so a failed call is halved at once
        self.effort = Effort(workers, 1, references, 0, budget, asymmetric, tolerance)

    @cached_property
    def name(self) -> str:
        """The given name, or the vendor's. Asks the server at first use."""
        return self._given_name or self.info().name

    def info(self) -> VendorInfo:
        """What the vendor says of itself. Raises InputError when it cannot be had."""
        return self._info

    def identity(self) -> Mapping[str, Any]:
        """The address, and what the server says of itself: its weights cannot be seen."""
        return {
            "matcher": "http",
            "url": self._url,
            "revision": self._revision,
            "info": self._info.plain(),
        }

    def enrol(self, images: Sequence[Path]) -> Sequence[Enrolled]:
        """One outcome per image. Raises VendorFailed."""
        return [self._enrol(image) for image in images]

    @contextmanager
    def opened(self, templates: Sequence[bytes | None]) -> Iterator[_Opened]:
        """The templates as texts, encoded once."""
        texts = [None if each is None else base64.b64encode(each).decode() for each in templates]
        yield _Opened(self, texts)

    def compare(self, probe: str, references: Sequence[str]) -> list[float]:
        """Scores of base64 templates, NaN where one failed. Raises VendorFailed."""
        body = {"probe": probe, "references": list(references)}
        answer = self._caller.call("POST", "/compare", body)
        scores = answer.get("scores") if isinstance(answer, dict) else None
        if not isinstance(scores, list) or len(scores) != len(references):
            got = f"{len(scores)} scores" if isinstance(scores, list) else "no list of scores"
            raise BadAnswer(f"POST /compare: {got} for {len(references)} references")
        return [_score(each) for each in scores]

    def stop(self) -> None:
        """End all calls in flight."""
        self._caller.stop()

    def close(self) -> None:
        """Let the connections go."""
        caller = self.__dict__.pop("_caller", None)
        if caller is not None:
            caller.stop()

    @cached_property
    def _caller(self) -> Any:
        try:
            from frbench.opaque.calling import Caller, Patience
        except ImportError:
            raise InputError(
                'matcher=http needs the package httpx; pip install "frbench[http]" brings it'
            ) from None

        return Caller(
            self._url,
            connections=self.effort.workers,
            patience=Patience(timeout=self._timeout, attempts=self._attempts),
            # unseeded: two runs at one server must not pause in step
            rng=np.random.default_rng(),
        )

    @cached_property
    def _info(self) -> VendorInfo:
        where = f"matcher.url={self._url}"
        try:
            return VendorInfo.read(self._caller.call("GET", "/info"), f"{where}/info")
        except VendorFailed as cause:
            self.close()
            raise InputError(f"{where}: {cause}; is the server running there?") from None

    def _enrol(self, image: Path) -> Enrolled:
        body = {"image": base64.b64encode(image.read_bytes()).decode()}
        answer = self._caller.call("POST", "/enrol", body)
        given = answer if isinstance(answer, dict) else {}
        template, failure = given.get("template"), given.get("failure")
        if isinstance(failure, str) and failure and template is None:
            return Enrolled(None, failure[:200])
        if not isinstance(template, str) or failure:
            raise BadAnswer("POST /enrol: the answer has neither a template nor a failure")
        try:
            return Enrolled(base64.b64decode(template, validate=True))
        except (binascii.Error, ValueError):
            raise BadAnswer("POST /enrol: the template is not base64") from None


@dataclass(frozen=True)
class _Opened:
    """The templates of a set as base64 texts."""

    matcher: HttpMatcher
    texts: Sequence[str | None]

    def compare(self, first: Int64s, second: Int64s) -> Float64s:
        """A call per probe; see ``vendor.Session``."""
        turns = np.flatnonzero(np.diff(first)) + 1
        scores: list[float] = []
        for begin, end in itertools.pairwise([0, *turns.tolist(), len(first)]):
            probe = self.texts[int(first[begin])] or ""
            others = [self.texts[int(number)] or "" for number in second[begin:end]]
            scores += self.matcher.compare(probe, others)
        return np.array(scores, dtype=np.float64)


def _score(given: Any) -> float:
    if given is None:
        return math.nan
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise BadAnswer(
            f"POST /compare: the score {given!r:.40} is no finite number; null marks a failure"
        )
    return float(given)


def _usable(url: str, remote: bool) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"matcher.url={url} is no address; write e.g. http://127.0.0.1:8000")
    if parts.username or parts.password:
        raise InputError("matcher.url holds a password, which the run's record would keep")
    if parts.query or parts.fragment:
        raise InputError(
            "matcher.url has something behind ? or #, which no call would send on and the run's "
            "record would keep; give the address alone"
        )
    if not remote and not _here(parts.hostname):
        raise InputError(
            f"matcher.url={url} is another machine, and photographs would be sent to it; if that "
            "is allowed, set matcher.remote=true"
        )
    return url.rstrip("/")


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

#!/usr/bin/env python3
"""Any matcher of frbench behind the HTTP contract (docs/vendor-http.openapi.yaml).

    python examples/vendor_http/server.py dlib --port 8000
    frbench evaluate matcher=http matcher.url=http://127.0.0.1:8000 ...

``--state FMR=SCORE`` states a threshold, as a vendor would; ``--openapi`` prints the schema.
It listens on this machine only.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
import yaml
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field

BUSY = "Too busy: the same call succeeds later, after `Retry-After` seconds where that is given."
REFUSALS: dict[int | str, dict[str, Any]] = {429: {"description": BUSY}, 503: {"description": BUSY}}


class Stated(BaseModel):
    """A decision threshold that the vendor states for a false-match rate."""

    fmr: float = Field(gt=0, lt=1, description="False-match rate, a fraction.")
    score: float = Field(description="Scores of this or more are a match.")


class Info(BaseModel):
    """What the vendor says of itself."""

    name: str = Field(min_length=1, max_length=200)
    version: str = Field(
        min_length=1, max_length=200, description="Changes whenever a score could change."
    )
    thresholds: list[Stated] = Field(default_factory=list)


class EnrolRequest(BaseModel):
    """One image."""

    model_config = ConfigDict(extra="forbid")
    image: str = Field(description="The image file's bytes, base64.")


class EnrolAnswer(BaseModel):
    """A template, or the reason why there is none; exactly one of the two."""

    template: str | None = Field(default=None, description="Opaque bytes, base64.")
    failure: str | None = Field(default=None, description="Why no template could be made.")


class CompareRequest(BaseModel):
    """One probe and the references that it is compared with."""

    model_config = ConfigDict(extra="forbid")
    probe: str = Field(description="A template as `/enrol` gave it.")
    references: list[str] = Field(description="Templates as `/enrol` gave them.")


class CompareAnswer(BaseModel):
    """One score per reference, in their order."""

    scores: list[float | None] = Field(
        description="Larger is more alike; null where that comparison failed."
    )


class Wrapped:
    """A matcher of frbench as a black box: a template is its unit vector, float32.

    Args:
        name: a choice of frbench's config group ``matcher``.
    """

    def __init__(self, name: str) -> None:
        from omegaconf import OmegaConf

        from frbench.config import Builder, config_dir
        from frbench.digests import digest_of

        def node(group: str, choice: str) -> dict[str, Any]:
            return dict(OmegaConf.load(config_dir() / group / f"{choice}.yaml"))

        builder = Builder(device="cpu", cache=None)
        self.matcher = builder.part(node("matcher", name), "matcher")
        builder.done()
        self.detector = builder.part(node("detector", self.matcher.default_detector), "detector")
        builder.done()
        identity = {
            "matcher": dict(self.matcher.identity()),
            "detector": dict(self.detector.identity()),
        }
        self.version = digest_of(identity)[:16]
        self._one_at_a_time = threading.Lock()

    def enrol(self, image: bytes) -> EnrolAnswer:
        """The image through frbench's own detection, alignment and embedding."""
        import pandas as pd

        from frbench.embedding import embed
        from frbench.values import FaceSet

        with tempfile.TemporaryDirectory() as folder, self._one_at_a_time:
            (Path(folder) / "image").write_bytes(image)
            table = pd.DataFrame({"image_id": ["0"], "subject_id": ["0"], "path": ["image"]})
            found = embed(
                FaceSet("image", "1", Path(folder), table),
                self.detector,
                self.matcher,
                choice="most_central",
                unreadable="fail_to_enrol",
                workers=0,
            )
        if not found.enrolled[0]:
            return EnrolAnswer(failure=str(found.failure[0]))
        return EnrolAnswer(template=base64.b64encode(found.vectors[0].tobytes()).decode())

    def compare(self, probe: bytes, references: list[bytes]) -> list[float | None]:
        """The engine's scores. Raises ValueError for a template of another length."""
        import numpy as np

        from frbench.counting.score import scores

        if len({len(probe), *map(len, references)}) > 1 or len(probe) % 4 or not probe:
            raise ValueError("a template is not one of ours")
        vectors = np.frombuffer(b"".join([probe, *references]), dtype=np.float32)
        vectors = vectors.reshape(len(references) + 1, -1)
        other = np.arange(1, len(vectors), dtype=np.int64)
        with self._one_at_a_time:
            return [float(each) for each in scores(vectors, np.zeros_like(other), other)]


def application(name: str, stated: list[Stated], wrapped: Callable[[], Wrapped]) -> FastAPI:
    """The server; ``wrapped`` is called at the first request, so that the schema needs none."""
    app = FastAPI(
        title="A face matcher for frbench",
        version="1",
        description="What `frbench evaluate matcher=http` calls. Templates are opaque bytes that "
        "only the server can read.",
    )

    @app.get("/info")
    def info() -> Info:
        """The vendor's name, version and stated thresholds."""
        return Info(name=name, version=wrapped().version, thresholds=stated)

    @app.post("/enrol", responses=REFUSALS)
    def enrol(request: EnrolRequest) -> EnrolAnswer:
        """A template for one image, or the reason why there is none."""
        return wrapped().enrol(_bytes(request.image))

    @app.post("/compare", responses=REFUSALS)
    def compare(request: CompareRequest) -> CompareAnswer:
        """Scores of one probe against a list of references."""
        try:
            scores = wrapped().compare(
                _bytes(request.probe), [_bytes(r) for r in request.references]
            )
        except ValueError as cause:
            raise HTTPException(400, str(cause)) from None
        return CompareAnswer(scores=scores)

    return app


def schema() -> str:
    """The contract as OpenAPI YAML; docs/vendor-http.openapi.yaml is this text."""
    app = application("", [], lambda: Wrapped(""))
    text: str = yaml.safe_dump(app.openapi(), sort_keys=False, allow_unicode=True, width=96)
    return text


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise HTTPException(400, "not base64") from None


def _stated(text: str) -> Stated:
    fmr, _, score = text.partition("=")
    return Stated(fmr=float(fmr), score=float(score))


def main() -> None:
    """Serves until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("matcher", nargs="?", default="tiny")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--state", type=_stated, action="append", default=[], metavar="FMR=SCORE")
    parser.add_argument("--openapi", action="store_true", help="print the schema and end")
    given = parser.parse_args()
    if given.openapi:
        print(schema(), end="")
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    wrapped = Wrapped(given.matcher)
    app = application(given.matcher, given.state, lambda: wrapped)
    uvicorn.run(app, host="127.0.0.1", port=given.port, log_level="warning")


if __name__ == "__main__":
    main()

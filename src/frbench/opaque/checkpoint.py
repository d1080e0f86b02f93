"""What a run has heard so far, on disk: a killed run goes on where it was, asking nothing twice."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from frbench.errors import InputError
from frbench.values import Float64s


@dataclass
class Repeats:
    """Comparisons asked a second time.

    Attributes:
        asked: how many.
        different: whose two scores differ (or where one of the two failed).
        flipped: whose decision differs at a gate's threshold.
        largest: largest absolute difference, score units.
    """

    asked: int = 0
    different: int = 0
    flipped: int = 0
    largest: float = 0.0


@dataclass
class Heard:
    """The scores of one round as far as they came, and the counters up to there.

    Attributes:
        score: float64, the first so many of the round's comparisons in the order of asking.
        calls: made since the run began.
        failures: failed comparisons by reason, since the run began.
        repeats: since the run began.
        finished: whether the round, its repeats included, is over.
    """

    score: Float64s = field(default_factory=lambda: np.empty(0))
    calls: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    repeats: Repeats = field(default_factory=Repeats)
    finished: bool = False


class Checkpoint:
    """A folder with one file per part of a round, each written whole or not at all.

    Args:
        folder: made if absent; None keeps nothing.
        key: fingerprint of all that determines what is asked and answered.

    Raises InputError when the folder belongs to another run.
    """

    def __init__(self, folder: Path | None, key: str) -> None:
        self.folder = folder
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        for left_over in folder.glob("*.part"):
            left_over.unlink()
        owner = folder / "run.json"
        if not owner.exists():
            self._write(owner, json.dumps({"key": key}).encode())
        try:
            known = json.loads(owner.read_text(encoding="utf-8"))["key"]
        except (ValueError, KeyError, TypeError) as cause:
            raise InputError(f"{owner}: is no frbench checkpoint; give an empty folder") from cause
        if known != key:
            raise InputError(
                f"{folder}: holds the checkpoint of another run (other plan, templates, gates or "
                "comparator); give another folder, or delete it to start again"
            )

    def load(self, number: int) -> Heard | None:
        """What was kept of a round, or None."""
        if self.folder is None:
            return None
        files = sorted(self.folder.glob(f"round-{number:03d}-*.npz"))
        if not files:
            return None
        heard, pieces = Heard(), []
        for file in files:
            try:
                with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                    pieces.append(stored["score"].astype(np.float64))
                    told = json.loads(str(stored["counters"]))
                heard.calls, heard.finished = int(told["calls"]), bool(told["finished"])
                heard.failures = Counter(told["failures"])
                heard.repeats = Repeats(**told["repeats"])
            except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as cause:
                raise InputError(
                    f"{file}: cannot be read ({cause}); delete it and all later files of the "
                    "folder to ask for those comparisons again"
                ) from cause
        heard.score = np.concatenate(pieces)
        return heard

    def save(self, number: int, part: int, heard: Heard, piece: Float64s) -> None:
        """Keep the next piece of a round; ``heard`` gives the counters."""
        if self.folder is None:
            return
        counters = {
            "calls": heard.calls,
            "failures": dict(heard.failures),
            "repeats": vars(heard.repeats),
            "finished": heard.finished,
        }
        final = self.folder / f"round-{number:03d}-{part:06d}.npz"
        partial = final.with_suffix(".part")
        with partial.open("wb") as stream:
            np.savez(stream, score=piece, counters=np.array(json.dumps(counters)))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, final)

    def parts(self, number: int) -> int:
        """How many files a round has."""
        if self.folder is None:
            return 0
        return len(list(self.folder.glob(f"round-{number:03d}-*.npz")))

    def remove(self) -> None:
        """Forget everything: the work that it was kept for is done."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def _write(final: Path, content: bytes) -> None:
        partial = final.with_suffix(".part")
        partial.write_bytes(content)
        os.replace(partial, final)

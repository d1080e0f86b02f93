"""The embedded benchmark: synthetic faces of people who do not exist, with known factors.

Pictures are rendered once into a private cache folder and re-used. The people come from the
stream "benchmark"; ``scripts/train_tiny.py`` draws from streams of other names, so no person of
this set is in the training of the tiny matcher.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

from frbench.benchmarks import Progress, silent
from frbench.errors import InputError
from frbench.rendering import RENDERER_VERSION
from frbench.values import FaceSet

STREAM = "benchmark"
"""Name of this population; see ``rendering.identity.draw_person``."""

_CHUNK = 64


class SyntheticBenchmark:
    """Eight groups, skin tone x sex x age band, of equally many synthetic people.

    Args:
        people_per_group: persons in each of the 8 groups.
        images_per_person: pictures of each, every one under new circumstances.
        seed: of the whole set; the same seed gives the same bytes.
        cache: folder for the pictures; None means the environment's FRBENCH_CACHE, else
            ~/.cache/frbench. A subfolder synthetic/<key> is made, readable by its owner only.
    """

    def __init__(
        self,
        *,
        people_per_group: int = 60,
        images_per_person: int = 5,
        seed: int = 2026,
        cache: Path | str | None = None,
    ) -> None:
        for name, value in (
            ("people_per_group", people_per_group),
            ("images_per_person", images_per_person),
        ):
            if not 1 <= value <= 10_000:
                raise InputError(
                    f"benchmark=synthetic: {name} is {value}; "
                    "choose a whole number from 1 to 10000."
                )
        self.people_per_group = people_per_group
        self.images_per_person = images_per_person
        self.seed = seed
        self.cache = cache

    def load(self, *, progress: Progress = silent) -> FaceSet:
        """The set, rendered now or found in the cache.

        Labels: ``label_skin_tone`` (lighter, darker), ``label_sex`` (female, male),
        ``label_age_band`` (younger, older). Paths are relative to the cache's subfolder.

        Raises:
            InputError: the cache folder cannot be written.
        """
        faces = self._table()
        folder = self.folder()
        if not _complete(folder, faces):
            self._fill(folder, faces, progress)
        return FaceSet(
            name="synthetic",
            version=RENDERER_VERSION,
            root=folder,
            faces=faces,
            synthetic=True,
            about={
                "source": "rendered by frbench.rendering; no photograph and no real person",
                "licence": "MIT, as frbench",
                "labels": "known by construction: the factors that the renderer was given",
                "note": "synthetic faces; error rates on them say nothing about real people",
                "settings": json.dumps(self._settings(), sort_keys=True),
            },
        )

    def folder(self) -> Path:
        """Where the pictures are or will be: <cache>/synthetic/<key of everything they rest on>."""
        text = json.dumps(self._settings() | {"renderer": _renderer_digest()}, sort_keys=True)
        return self._cache_root() / "synthetic" / hashlib.sha256(text.encode()).hexdigest()[:20]

    def _cache_root(self) -> Path:
        chosen = self.cache or os.environ.get("FRBENCH_CACHE") or "~/.cache/frbench"
        return Path(chosen).expanduser().absolute()

    def _settings(self) -> dict[str, Any]:
        return {
            "people_per_group": self.people_per_group,
            "images_per_person": self.images_per_person,
            "seed": self.seed,
            "stream": STREAM,
        }

    def _table(self) -> pd.DataFrame:
        from frbench.rendering.identity import FACTORS, GROUPS

        rows = []
        for place, factors in enumerate(GROUPS):
            for member in range(self.people_per_group):
                subject = f"syn-{place * self.people_per_group + member:05d}"
                labels = {f"label_{f}": v for f, v in zip(FACTORS, factors, strict=True)}
                for shot in range(self.images_per_person):
                    image = f"{subject}_{shot:02d}"
                    keys = {"image_id": image, "subject_id": subject, "path": f"{image}.png"}
                    rows.append(keys | labels)
        return pd.DataFrame(rows)

    def _fill(self, folder: Path, faces: pd.DataFrame, progress: Progress) -> None:
        """Render beside the final place, then rename: a reader never sees half a set."""
        work: Path | None = None
        try:
            _private_folder(folder.parent)
            work = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
            self._render_into(work, faces, progress)
            _put(work, folder, faces)
        except OSError as why:
            raise InputError(
                f"benchmark=synthetic: cannot write the pictures to {folder} ({why.strerror}); "
                "free some space, or name another folder with benchmark.cache or FRBENCH_CACHE."
            ) from why
        finally:
            if work is not None:
                shutil.rmtree(work, ignore_errors=True)

    def _render_into(self, work: Path, faces: pd.DataFrame, progress: Progress) -> None:
        import torch

        from frbench.rendering.identity import GROUPS
        from frbench.rendering.render import Shot, render

        people = len(GROUPS) * self.people_per_group
        shots = [
            Shot(person, GROUPS[person // self.people_per_group], shot)
            for person in range(people)
            for shot in range(self.images_per_person)
        ]
        names = faces["path"].tolist()

        def one_chunk(start: int) -> int:
            chosen = slice(start, start + _CHUNK)
            pictures = render(shots[chosen], seed=self.seed, stream=STREAM)
            for name, picture in zip(names[chosen], pictures, strict=True):
                _write_png(work / name, picture)
            return len(pictures)

        # one torch thread per worker: the many small steps of a picture gain nothing from sharing
        # one step between cores, and lose much to waiting for each other on a busy machine
        threads = torch.get_num_threads()
        try:
            with ThreadPoolExecutor(
                threads, initializer=torch.set_num_threads, initargs=(1,)
            ) as pool:
                done = 0
                for rendered in pool.map(one_chunk, range(0, len(shots), _CHUNK)):
                    done += rendered
                    progress(done, len(shots))
        finally:
            torch.set_num_threads(threads)


def _write_png(path: Path, picture: Any) -> None:
    from PIL import Image

    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        Image.fromarray(picture).save(file, format="PNG", compress_level=1)


def _private_folder(folder: Path) -> None:
    """Make the missing folders of the path, readable by their owner only."""
    for part in reversed([folder, *folder.parents]):
        part.mkdir(mode=0o700, exist_ok=True)


def _complete(folder: Path, faces: pd.DataFrame) -> bool:
    """Whether the folder holds exactly the set's pictures, none of them empty."""
    if not folder.is_dir():
        return False
    found = {entry.name for entry in os.scandir(folder) if entry.stat().st_size > 0}
    return found == set(faces["path"])


def _put(work: Path, folder: Path, faces: pd.DataFrame) -> None:
    """Rename into place; a damaged set there gives way, one that another process made stays."""
    if folder.exists() and not _complete(folder, faces):
        shutil.rmtree(folder)
    try:
        work.rename(folder)
    except OSError:
        if not _complete(folder, faces):
            raise


def _renderer_digest() -> str:
    """Hash of the renderer's source and of torch's version: a changed renderer cannot hit."""
    import torch

    import frbench.rendering

    digest = hashlib.sha256(f"{RENDERER_VERSION} {torch.__version__}".encode())
    for source in sorted(Path(frbench.rendering.__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()

"""``matcher=command``: a vendor's program that enrols and compares through files.

The contract is docs/vendor-command.md: ``PROGRAM info OUT``, ``PROGRAM create IMAGES FOLDER`` and
``PROGRAM match PAIRS OUT``, a process per batch and several at a time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from frbench.digests import digest_file
from frbench.errors import InputError
from frbench.opaque import command_files as files
from frbench.opaque.private import private_folder
from frbench.opaque.processes import Processes
from frbench.opaque.vendor import Effort, Enrolled, VendorFailed, VendorInfo
from frbench.values import Float64s, Int64s


class CommandMatcher:
    """A black box behind a program.

    Args:
        program: the executable: a path, or a name on the PATH.
        arguments: words between the program and the verb; they stand in the run's record.
        info: YAML file with ``name, version, thresholds`` in place of the verb ``info``.
        name: what results call the matcher; default the vendor's own name.
        revision: any text; change it when the vendor changed something that neither the
            program's bytes nor its version show, so that no old template is used.
        timeout: seconds that a call with a full batch may take; smaller ones get their share, and
            at least an eighth.
        workers, enrol_batch, compare_batch, retries, budget, asymmetric, tolerance: see Effort;
            workers None for one per core.
        cache: folder for files in flight, which hold templates.

    Raises InputError for a program that is not there or cannot be run, or a setting out of range.
    """

    def __init__(
        self,
        *,
        program: str,
        arguments: Sequence[str] = (),
        info: str | None = None,
        name: str | None = None,
        revision: str = "",
        workers: int | None = None,
        enrol_batch: int = 64,
        compare_batch: int = 20_000,
        timeout: float = 300.0,
        retries: int = 2,
        budget: int = 2_000_000,
        asymmetric: bool = False,
        tolerance: float = 0.0,
        cache: Path | None = None,
    ) -> None:
        # a Path would drop the "./" of a program in this folder, and look for it on the PATH
        found = shutil.which(os.path.expanduser(str(program)))
        if found is None:
            raise InputError(
                f"matcher.program={program} is no program that can be run; give its path, and "
                "chmod +x it"
            )
        if not (isinstance(timeout, int | float) and 0 < timeout < float("inf")):
            raise InputError(f"matcher.timeout={timeout} must be a number of seconds above 0")
        self._words = [os.path.abspath(found), *map(str, arguments)]
        self._given_name, self._revision, self._timeout = name, revision, float(timeout)
        self._info_file = None if info is None else Path(info).expanduser()
        self._cache = cache
        self._processes = Processes()
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
        count = cores if workers is None else workers
        self.effort = Effort(
            count, enrol_batch, compare_batch, retries, budget, asymmetric, tolerance
        )

    @cached_property
    def name(self) -> str:
        """The given name, or the vendor's. Asks the program at first use."""
        return self._given_name or self.info().name

    def info(self) -> VendorInfo:
        """What the vendor says of itself. Raises InputError when it cannot be had."""
        return self._info

    def identity(self) -> Mapping[str, Any]:
        """The program's hash, its arguments, and what it says of itself."""
        return {
            "matcher": "command",
            "program_sha256": self._program_digest,
            "arguments": self._words[1:],
            "revision": self._revision,
            "info": self._info.plain(),
        }

    def enrol(self, images: Sequence[Path]) -> Sequence[Enrolled]:
        """One outcome per image. Raises VendorFailed."""
        with self._folder() as folder:
            files.write_images(folder / "images.tsv", images)
            (folder / "templates").mkdir()
            share = len(images) / self.effort.enrol_batch
            self._call(folder, share, "create", "images.tsv", "templates")
            return files.read_enrolled(folder / "templates", len(images))

    @contextmanager
    def opened(self, templates: Sequence[bytes | None]) -> Iterator[_Opened]:
        """The templates as files, for as long as the block lasts."""
        with self._folder() as folder:
            for number, template in enumerate(templates):
                if template is not None:
                    (folder / f"{files.item(number)}.template").write_bytes(template)
            yield _Opened(self, folder)

    def stop(self) -> None:
        """Kill all programs in flight."""
        self._processes.stop()

    def close(self) -> None:
        """Nothing is held between calls."""

    @cached_property
    def _program_digest(self) -> str:
        return digest_file(Path(self._words[0]))

    @cached_property
    def _info(self) -> VendorInfo:
        if self._info_file is not None:
            where = f"matcher.info={self._info_file}"
            try:
                return VendorInfo.read(yaml.safe_load(self._info_file.read_text("utf-8")), where)
            except (OSError, ValueError, yaml.YAMLError) as cause:
                raise InputError(f"{where}: is no YAML file ({str(cause)[:200]})") from None
        where = f"matcher.program={self._words[0]}, verb info"
        with self._folder() as folder:
            try:
                self._call(folder, 1.0, "info", "info.json")
            except VendorFailed as cause:
                raise InputError(
                    f"{where}: {cause}; mend it, or describe the vendor in matcher.info=FILE.yaml"
                ) from None
            return files.read_info(folder / "info.json", where)

    def _call(self, folder: Path, share: float, *words: str) -> None:
        seconds = self._timeout * max(min(share, 1.0), 1 / 8)
        verb, *paths = words
        full = [str(folder / path) for path in paths]
        words_in_full = [*self._words, verb, *full]
        self._processes.call(words_in_full, verb=verb, seconds=seconds, cwd=folder)

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        """A private folder that is gone afterwards; those of killed runs are removed first."""
        parent = None
        if self._cache is not None:
            parent = private_folder(self._cache / "black-boxes" / "in-flight")
            for left_over in parent.glob("*"):
                owner = left_over.name.partition("-")[0]
                if owner.isdigit() and not _alive(int(owner)):
                    shutil.rmtree(left_over, ignore_errors=True)
        made = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent)).absolute()
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)


@dataclass(frozen=True)
class _Opened:
    """The templates of a set as files."""

    matcher: CommandMatcher
    folder: Path

    def compare(self, first: Int64s, second: Int64s) -> Float64s:
        """Scores; see ``vendor.Session``."""
        names = [
            tuple(str(self.folder / f"{files.item(n)}.template") for n in pair)
            for pair in zip(first.tolist(), second.tolist(), strict=True)
        ]
        with self.matcher._folder() as work:
            files.write_pairs(work / "pairs.tsv", [(probe, other) for probe, other in names])
            share = len(names) / self.matcher.effort.compare_batch
            self.matcher._call(work, share, "match", "pairs.tsv", "scores.tsv")
            return files.read_scores(work / "scores.tsv", len(names))


def _alive(process: int) -> bool:
    with suppress(ProcessLookupError):
        try:
            os.kill(process, 0)
        except PermissionError:
            return True
        return True
    return False

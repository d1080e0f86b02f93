"""Check this machine; with matcher=NAME, whether that matcher is deterministic and fit to count.

Without arguments: packages that fit together, devices, weights, the cache folder. With a matcher:
the probes of ``frbench.probing`` on a few faces, synthetic ones unless benchmark=NAME is given.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console

from frbench.errors import InputError

HELP = """  frbench doctor
  frbench doctor matcher=dlib
  frbench doctor matcher=command matcher.program=./vendor benchmark=folder benchmark.root=faces
  settings: images=6 (first so many per group), choice=most_central, tolerance=1e-5,
  output=DIR (writes doctor.json), detector=NAME, groups.by=[…], device=NAME"""

MARKS = {True: "[green]ok     [/]", False: "[red]mend   [/]", None: "[yellow]absent [/]"}


def command(arguments: Sequence[str]) -> int:
    """Prints a line per check; exit status 2 when something that frbench needs is broken.

    With arguments a matcher is probed; exit status 1 when a probe fails.
    """
    if set(arguments) & {"--help", "-h"}:
        print(__doc__, HELP, sep="\n")
        return 0
    if arguments:
        from frbench.probe_job import run_probe

        return run_probe(arguments)
    console = Console(highlight=False)
    healthy = True
    for check in CHECKS:
        verdict, words = check()
        healthy = healthy and verdict is not False
        console.print(MARKS[verdict] + words, soft_wrap=True)
    return 0 if healthy else 2


Verdict = tuple[bool | None, str]
"""True: works; False: broken; None: not there, and not needed by everybody."""


def _torch() -> Verdict:
    import torch

    return True, f"torch {torch.__version__}, {torch.get_num_threads()} threads"


def _torchvision() -> Verdict:
    import torch

    try:
        from torchvision.ops import nms

        nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except (ImportError, RuntimeError, OSError) as cause:
        return False, (
            "torchvision does not fit this build of torch, so MTCNN cannot run "
            f"({str(cause).splitlines()[0]}); install torch and torchvision from the same place "
            "in one command, with the versions of constraints.txt"
        )
    return True, f"torchvision {importlib.metadata.version('torchvision')} and its operators"


def _gpu() -> Verdict:
    import torch

    if not torch.cuda.is_available():
        return None, "no CUDA device; everything runs on the processor"
    names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    return True, f"CUDA: {names}"


def _facenet_weights() -> Verdict:
    from frbench.matchers.facenet import FacenetMatcher

    found = []
    names: tuple[Literal["vggface2", "casia-webface"], ...] = ("vggface2", "casia-webface")
    for name in names:
        try:
            FacenetMatcher(weights=name).identity()
            found.append(name)
        except InputError:
            continue
    if not found:
        return None, "no facenet weights in facenet-pytorch's cache; matcher=facenet_* needs a path"
    return True, f"facenet weights: {', '.join(found)}"


def _extra(module: str, package: str, extra: str) -> Callable[[], Verdict]:
    def check() -> Verdict:
        if importlib.util.find_spec(module) is None:
            return None, f'{package} is not installed; pip install "frbench[{extra}]" brings it'
        return True, f"{package} {importlib.metadata.version(package)}"

    return check


def _browser() -> Verdict:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return True, f"browser {path}"
    return None, "no Chromium; report pages open in any browser, only tests and PDF need one"


def _cache() -> Verdict:
    folder = Path(os.environ.get("FRBENCH_CACHE", "~/.cache/frbench")).expanduser()
    if not folder.exists():
        return True, f"cache {folder} (not yet there)"
    if not os.access(folder, os.W_OK):
        return False, f"cache {folder} cannot be written; set FRBENCH_CACHE to another folder"
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        return False, f"cache {folder} is readable by others; chmod 700 {folder}"
    free = shutil.disk_usage(folder).free / 2**30
    return True, f"cache {folder}, private, {free:.0f} GiB free"


CHECKS: tuple[Callable[[], Verdict], ...] = (
    _torch,
    _torchvision,
    _gpu,
    _extra("dlib", "dlib-bin", "dlib"),
    _extra("onnxruntime", "onnxruntime", "onnx"),
    _facenet_weights,
    _browser,
    _cache,
)

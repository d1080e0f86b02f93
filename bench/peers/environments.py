"""Environments of the peers, made when first asked for under ``bench/.envs``, and kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.peers import Peer

ENVIRONMENTS = Path(__file__).parents[1] / ".envs"
ADAPTERS = Path(__file__).parent / "adapters"


class Unavailable(Exception):
    """A peer cannot be asked on this machine; the message says why."""


def interpreter(peer: Peer) -> Path:
    """The Python of the peer's environment, which is made if it is not there yet.

    Raises Unavailable with the installer's reason.
    """
    folder = ENVIRONMENTS / peer.name
    python, stamp = folder / "bin" / "python", folder / "installed.json"
    wanted = json.dumps([peer.pins, peer.borrows])
    if stamp.is_file() and stamp.read_text() == wanted:
        return python
    uv = _uv()
    print(f"making the environment of {peer.name}: {' '.join(peer.pins)}", file=sys.stderr)
    _call([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)])
    alone = ["--no-deps"] if peer.borrows else []
    _call([uv, "pip", "install", "--quiet", "--python", str(python), *alone, *peer.pins])
    if peer.borrows:
        packages = sysconfig.get_path("purelib", vars={"base": str(folder)})
        # named to be read last, so that the peer's own packages come first
        (Path(packages) / "zz_project.pth").write_text(sysconfig.get_path("purelib") + "\n")
    stamp.write_text(wanted)
    return python


def ask(
    command: Sequence[str | Path], *, given: Any, timeout: float, folder: Path | None = None
) -> Any:
    """Run ``command IN OUT`` with ``given`` as JSON in IN; what it wrote to OUT.

    Raises Unavailable with the last line that the process said.
    """
    with tempfile.TemporaryDirectory() as scratch:
        question, answer = Path(scratch) / "in.json", Path(scratch) / "out.json"
        question.write_text(json.dumps(given))
        full = [str(part) for part in (*command, question, answer)]
        _call(full, timeout=timeout, cwd=folder)
        return json.loads(answer.read_text())


def _call(command: Sequence[str], *, timeout: float = 900, cwd: Path | None = None) -> None:
    quiet = {**os.environ, "PYTHONWARNINGS": "ignore"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, cwd=cwd, env=quiet
        )
    except (OSError, subprocess.TimeoutExpired) as cause:
        raise Unavailable(f"{Path(command[0]).name}: {type(cause).__name__}") from cause
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise Unavailable(said[-1].strip() if said else f"exit status {done.returncode}")


def _uv() -> str:
    """uv beside this Python, on the path, or brought into an environment for it."""
    brought = ENVIRONMENTS / ".uv"
    for place in (Path(sys.executable).with_name("uv"), brought / "bin" / "uv"):
        if place.is_file():
            return str(place)
    if found := shutil.which("uv"):
        return found
    _call([sys.executable, "-m", "venv", str(brought)])
    _call([str(brought / "bin" / "python"), "-m", "pip", "install", "--quiet", "uv"])
    return str(brought / "bin" / "uv")

"""The built wheel works alone: configurations and weights are inside, ``src/`` is not needed."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what installing the wheel would put into site-packages."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def installed(unpacked: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs the unpacked package, from a folder that knows nothing of the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(unpacked), "FRBENCH_CACHE": str(cwd / "cache")}
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True
    )


def test_the_wheel_carries_its_configurations(unpacked: Path, tmp_path: Path) -> None:
    """The package that runs is the unpacked one, and finds its choices inside itself."""
    code = "import frbench.config as c; print(c.__file__); print(c.config_dir())"
    done = installed(unpacked, tmp_path, "-c", code)
    file, configs = done.stdout.splitlines()
    assert file.startswith(str(unpacked))
    assert configs.startswith(str(unpacked))
    shipped = sorted(p.relative_to(configs) for p in Path(configs).rglob("*.yaml"))
    here = sorted(p.relative_to(ROOT / "configs") for p in (ROOT / "configs").rglob("*.yaml"))
    assert shipped == [p for p in here if p.parts[0] != "local"]


def test_the_wheel_runs_an_evaluation(unpacked: Path, tmp_path: Path) -> None:
    """A user of the wheel evaluates the synthetic set with the network that ships with it."""
    done = installed(
        unpacked,
        tmp_path,
        "-m",
        "frbench",
        "evaluate",
        "benchmark.people_per_group=4",
        "benchmark.images_per_person=2",
        "operating_point.target_fmr=[1e-2]",
        "output=out",
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "report.html").is_file()

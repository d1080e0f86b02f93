"""The rooms stay in order: data walks one way, and every part has its choice in ``configs/``."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "frbench"
SHELVES = (
    *("benchmarks", "detectors", "matchers", "intervals", "measures", "rules"),
    *("references", "audit_rules", "mixes"),
    *("policies", "collectors", "learners", "simulation_rules", "monitor_rules"),
)
GROUND = {"errors", "values", "tables"}
STAGES = {
    "faces",
    "groups",
    "embedding",
    "alignment",
    "comparison",
    "thresholds",
    "rates",
    "gaps",
    "judging",
    "runs",
    "reporting",
    "figures",
}


def imports_of(file: Path) -> set[str]:
    """The frbench modules that a file imports anywhere, as dotted names without the package."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("frbench"):
            base = (node.module or "").removeprefix("frbench").lstrip(".")
            found |= {base} if base else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {
                alias.name.removeprefix("frbench.")
                for alias in node.names
                if alias.name.startswith("frbench.")
            }
    return found


def sources() -> list[Path]:
    """Every module of the package."""
    return sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("file", sources(), ids=lambda f: str(f.relative_to(PACKAGE)))
def test_nothing_imports_against_the_stream(file: Path) -> None:
    """Ground knows nothing, shelves know no stage, and only workflows and the CLI know verbs."""
    place = file.relative_to(PACKAGE)
    tops = {name.split(".")[0] for name in imports_of(file)}
    if place.parts[0] not in ("workflows", "cli.py", "__main__.py"):
        assert not tops & {"workflows", "cli"}
    if place.stem in GROUND and len(place.parts) == 1:
        assert tops <= GROUND
    if place.parts[0] in SHELVES:
        assert not tops & STAGES


def test_the_command_line_starts_without_heavy_packages() -> None:
    """Help and completion must not wait for torch."""
    code = (
        "import sys; import frbench.cli as c; c.run([]); "
        "print(sorted({'torch','numba','dlib','pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def targets() -> set[str]:
    """Every class that a YAML file of ``configs/`` names."""

    def walk(node: object) -> set[str]:
        if isinstance(node, dict):
            own = {str(node["_target_"])} if "_target_" in node else set()
            return own.union(*[walk(each) for each in node.values()])
        if isinstance(node, list):
            return set().union(*[walk(each) for each in node])
        return set()

    files = (ROOT / "configs").rglob("*.yaml")
    return set().union(*[walk(yaml.safe_load(f.read_text(encoding="utf-8"))) for f in files])


@pytest.mark.parametrize("shelf", SHELVES)
def test_every_part_can_be_chosen_by_name(shelf: str) -> None:
    """A file on a shelf that defines parts is named by at least one YAML file."""
    chosen = {target.rpartition(".")[0] for target in targets()}
    parts = [file.stem for file in sorted((PACKAGE / shelf).glob("[a-z]*.py"))]
    assert [part for part in parts if f"frbench.{shelf}.{part}" not in chosen] == []

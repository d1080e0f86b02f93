"""One matcher three ways: in process, behind the command example and behind the HTTP example.

    scripts/same_counts MATCHER MANIFEST [IMAGES] [LABEL]

Takes whole persons until there are IMAGES images (default 40; 0: all), writes nothing beside them,
runs ``frbench evaluate`` three times into a temporary folder and compares ``rates.csv`` byte for
byte, the column ``matcher`` aside. Exit status 1 where they differ.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"


def main(matcher: str, manifest: str, images: str = "40", label: str = "sex") -> int:
    """Prints a line per way and whether the counts agree."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        table = whole_persons(pd.read_csv(manifest, dtype=str), int(images))
        table.to_csv(folder / "manifest.csv", index=False)
        common = [
            "benchmark=manifest",
            f'benchmark.path="{folder / "manifest.csv"}"',
            f'benchmark.root="{Path(manifest).resolve().parent}"',
            f"groups.by=[{label}]",
            "operating_point.target_fmr=[1e-1,1e-2]",
            f'cache="{folder / "cache"}"',
        ]
        program = [
            "matcher=command",
            f'matcher.program="{sys.executable}"',
            f'matcher.arguments=["{EXAMPLES / "vendor_command_frbench" / "vendor.py"}",{matcher}]',
        ]
        print(f"{len(table)} images of {table['subject_id'].nunique()} persons")
        found = {
            "in process": evaluated(folder / "own", [f"matcher={matcher}", *common]),
            "command": evaluated(folder / "command", [*program, *common]),
        }
        with server(matcher) as url:
            words = ["matcher=http", f"matcher.url={url}", *common]
            found["http"] = evaluated(folder / "http", words)
    return report(found)


def whole_persons(table: pd.DataFrame, images: int) -> pd.DataFrame:
    """Persons in the order of the file until there are so many images; 0 for all of them."""
    if not images:
        return table
    person = pd.factorize(table["subject_id"])[0]
    sizes = pd.Series(person).value_counts(sort=False).sort_index()
    return table[person < int((sizes.cumsum() < images).sum()) + 1]


def evaluated(folder: Path, words: list[str]) -> pd.DataFrame:
    """The rates of one run, without the matcher's name; prints how long it took."""
    started = time.monotonic()
    command = [sys.executable, "-m", "frbench", "evaluate", *words, f'output="{folder}"']
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)}\n{done.stderr}")
    print(f"{folder.name}: {time.monotonic() - started:.1f} s")
    return pd.read_csv(folder / "rates.csv", dtype=str, keep_default_na=False).drop(
        columns="matcher"
    )


@contextmanager
def server(matcher: str):
    """The example server on a free port, for as long as the block lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, str(EXAMPLES / "vendor_http" / "server.py"), matcher]
    child = subprocess.Popen([*words, "--port", str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            if child.poll() is not None:
                raise SystemExit(f"the example server ended with status {child.returncode}")
            try:
                httpx.get(f"{url}/info", timeout=60)
                break
            except httpx.TransportError:
                time.sleep(0.2)
        yield url
    finally:
        child.terminate()
        child.wait()


def report(found: dict[str, pd.DataFrame]) -> int:
    """The pooled counts of each way; 0 where all cells of all ways agree."""
    own = found["in process"]
    for way, rates in found.items():
        for _, row in rates[rates["probe_group"] == "all"].iterrows():
            kind = f"{row['kind']} at {row['operating_point']}"
            print(f"{way:>10}: {kind}: {row['errors']} of {row['comparisons']}")
    differing = [way for way, rates in found.items() if not rates.equals(own)]
    print(f"{len(own)} rows of rates; differing from in process: {', '.join(differing) or 'none'}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

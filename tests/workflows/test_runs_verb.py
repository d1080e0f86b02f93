"""Run folders as a collection: verified to the byte, indexed, archived, pruned."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import sys
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from frbench import cli
from frbench.errors import InputError
from frbench.input_files import named_files
from frbench.run_collection.archive import archive_run
from frbench.run_collection.index import Filter, entries
from frbench.run_collection.prune import candidates, remove
from frbench.run_collection.verify import verify_run
from frbench.runs import write_checksums, write_json
from frbench.workflows import runs as verb
from run_folders import CONFIG, changed, run_folder, target
from worlds import population


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 16 images of 8 persons, their manifest, weights, and a run over them."""
    place = tmp_path_factory.mktemp("made")
    rng = np.random.default_rng(1)
    rows = []
    for person in range(8):
        base = rng.integers(0, 256, (7, 7, 3), dtype=np.uint8)
        for image in range(2):
            noisy = np.clip(base + rng.normal(0, 9, base.shape), 0, 255).astype(np.uint8)
            name = f"{person}-{image}.png"
            Image.fromarray(noisy).resize((112, 112)).save(place / name)
            rows.append({"path": name, "subject_id": f"p{person}", "sex": "fm"[person % 2]})
    pd.DataFrame(rows).to_csv(place / "faces.csv", index=False)
    ids = [row["path"] for row in rows]
    np.savez(place / "m.npz", vectors=rng.normal(size=(16, 8)).astype("f4"), image_id=np.array(ids))
    common = ("benchmark=manifest", f"benchmark.path={place / 'faces.csv'}", "groups.by=[sex]")
    points = ("operating_point.target_fmr=[0.1]", "frontier.points=4", "device=cpu")
    stored = ("matcher=embeddings", f"matcher.path={place / 'm.npz'}")
    tiny = ("matcher=tiny", "detector=precropped", "embedding.workers=0")
    for name, words in (("tiny", tiny), ("stored", stored)):
        evaluate(place, *common, *points, *words, f"output={place / 'runs' / name}")
    return place


def evaluate(place: Path, *words: str) -> None:
    """``frbench evaluate`` as typed."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()):
        patch.chdir(place)
        patch.setenv("FRBENCH_CACHE", str(place / "cache"))
        patch.setattr(sys, "argv", sys.argv)
        with redirect_stderr(io.StringIO()) as said:
            assert cli.run(["evaluate", *words]) in (0, 1), said.getvalue()


def flipped(path: Path, rng: np.random.Generator) -> None:
    """Changes one byte of a file, anywhere, to any other value."""
    content = bytearray(path.read_bytes())
    at = int(rng.integers(len(content)))
    content[at] = (content[at] + int(rng.integers(1, 256))) % 256
    path.write_bytes(bytes(content))


def test_a_fresh_run_is_verified_whole(made: Path) -> None:
    """Files, tables from the comparisons, settings' files, the set, its images and the weights."""
    for name, parts in (
        ("tiny", {"images", "weights of tiny_balanced"}),
        ("stored", {"matcher.path"}),
    ):
        found = verify_run(made / "runs" / name)
        assert found.status == 0, [check for check in found.checks if check.state != "ok"]
        what = {check.what for check in found.checks}
        assert parts | {"files", "table rates", "table gaps", "set", "benchmark.path"} <= what
        assert "threshold FMR 0.1" in what


def test_any_changed_byte_is_found(made: Path, tmp_path: Path) -> None:
    """100 random mutations of one byte in tables, tally, report, record, sums, and inputs."""
    rng = np.random.default_rng(20220901)
    folder = made / "runs" / "tiny"
    own = sorted(path for path in folder.rglob("*") if path.is_file())
    inputs = [made / "faces.csv", *sorted(made.glob("*.png"))]
    kinds = set()
    for number in range(100):
        # a third of them in inputs, the others by file, so that large ones do not take them all
        files = inputs if number % 3 == 0 else own
        path = files[int(rng.integers(len(files)))]
        before = path.read_bytes()
        flipped(path, rng)
        try:
            found = verify_run(folder, tables=False)
        finally:
            path.write_bytes(before)
        assert found.status == 1, path
        kinds.add(path.name)
    assert {"run.json", "report.html", "rates.csv", "rates.parquet", "SHA256SUMS"} <= kinds
    assert verify_run(folder, tables=False).status == 0


def signed_again(folder: Path) -> None:
    """Hashes that agree with what somebody changed, as a forger would leave them."""
    record = json.loads((folder / "run.json").read_text())
    from frbench.runs import artefact_hashes

    write_json(folder / "run.json", {**record, "artefacts": artefact_hashes(folder)})
    write_checksums(folder)


@pytest.mark.parametrize("what", ["rates", "gaps", "frontier", "csv", "threshold", "tally"])
def test_a_table_that_does_not_follow_from_the_comparisons_is_found(
    made: Path, tmp_path: Path, what: str
) -> None:
    """Tables, threshold or comparisons changed with all hashes made to agree are still found."""
    folder = tmp_path / "run"
    shutil.copytree(made / "runs" / "stored", folder)
    if what in ("rates", "gaps", "frontier"):
        table = pd.read_parquet(folder / f"{what}.parquet")
        column = {"rates": "errors", "gaps": "high", "frontier": "tmr"}[what]
        table.loc[len(table) - 1, column] = table[column].iloc[-1] + 1
        from frbench.runs import write_table

        write_table(folder, what, table)
    elif what == "csv":
        text = (folder / "rates.csv").read_text()
        (folder / "rates.csv").write_text(text.replace(",ok\n", ",OK\n").replace("few_", "far_"))
    elif what == "threshold":
        record = json.loads((folder / "run.json").read_text())
        record["thresholds"][0]["value"] += 0.01
        write_json(folder / "run.json", record)
    else:
        tail = pd.read_parquet(folder / "tally" / "tail.parquet")
        tail["score"] = -tail["score"]
        tail.to_parquet(folder / "tally" / "tail.parquet", index=False)
    signed_again(folder)
    found = verify_run(folder, inputs=False)
    assert {check.state for check in found.checks if check.what in ("files", "run.json")} == {"ok"}
    assert found.status == 1


def test_absent_inputs_are_named(made: Path, tmp_path: Path) -> None:
    """A moved manifest, lost images and an older run without hashes: undecided, by name."""
    folder = made / "runs" / "tiny"
    image, manifest = made / "3-1.png", made / "faces.csv"
    image.rename(tmp_path / "image")
    try:
        found = verify_run(folder, tables=False)
        assert found.status == 3
        assert [check.what for check in found.open] == ["images"]
        assert "3-1.png" in found.open[0].words
    finally:
        (tmp_path / "image").rename(image)
    manifest.rename(tmp_path / "manifest")
    try:
        found = verify_run(folder, tables=False)
        assert found.status == 3
        assert {check.what for check in found.open} == {"benchmark.path", "set", "images"}
    finally:
        (tmp_path / "manifest").rename(manifest)
    old = tmp_path / "old"
    shutil.copytree(folder, old)
    (old / "SHA256SUMS").unlink()
    record = json.loads((old / "run.json").read_text())
    write_json(old / "run.json", {**record, "inputs": {}})
    assert [check.what for check in verify_run(old, tables=False).open] == ["SHA256SUMS", "inputs"]


def test_added_and_missing_files_are_named(made: Path, tmp_path: Path) -> None:
    """A file more or less in the folder is found."""
    folder = tmp_path / "run"
    shutil.copytree(made / "runs" / "stored", folder)
    (folder / "notes.txt").write_text("added")
    (folder / "gaps.csv").unlink()
    found = {check.what: check.words for check in verify_run(folder, tables=False).changed}
    assert "not among the files" in found["notes.txt"]
    assert "gaps.csv" in found


def test_every_setting_that_names_a_file_is_an_input(tmp_path: Path) -> None:
    """Files, files in lists, a model's folder and another run's record; not where to write."""
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "model.onnx").write_text("x")
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    a = str(tmp_path / "a.csv")
    config = {
        "benchmark": {"_target_": a, "path": a, "lists": ["b", a], "root": str(tmp_path)},
        "matcher": {"path": str(tmp_path / "net"), "name": "x" * 5000},
        "operating_point": {"from_run": str(tmp_path / "run")},
        "output": a,
        "seed": 1,
    }
    assert set(named_files(config)) == {
        "benchmark.path",
        "benchmark.lists.1",
        "matcher.path/model.onnx",
        "operating_point.from_run/run.json",
    }


def collection(tmp_path: Path) -> Path:
    """Three runs of made-up ages below a root, one in a sweep's folder."""
    root = tmp_path / "runs"
    tally = population(np.random.default_rng(1), fmr=(0.05, 0.05), persons=6, images=2)
    for number, (name, matcher, day) in enumerate(
        (("a", "dlib", 1), ("b", "tiny", 10), ("sweep/0_matcher=dlib", "dlib", 20))
    ):
        config = changed(CONFIG, "seed", number)
        folder = run_folder(
            root / name,
            tally,
            [target(0.0)],
            matcher=matcher,
            config=config,
            finished=f"2026-11-{day:02}T10:00:00+00:00",
        )
        write_checksums(folder)
    (root / ".c.partial-1").mkdir()
    (root / ".c.partial-1" / "rates.csv").write_text("half")
    return root


def test_the_index_follows_the_folders(tmp_path: Path) -> None:
    """Newest first; a changed, a new and a deleted run are seen, and a broken index is remade."""
    root, cache = collection(tmp_path), tmp_path / "cache"
    assert [each.folder for each in entries(root, cache)] == ["sweep/0_matcher=dlib", "b", "a"]
    assert [each.folder for each in entries(root, cache, Filter(matcher="DLIB"))] == [
        "sweep/0_matcher=dlib",
        "a",
    ]
    assert [each.folder for each in entries(root, cache, Filter(settings={"seed": "1"}))] == ["b"]
    found = entries(root, cache, Filter(since="2026-11-02", until="2026-11-19", group="g1"))
    assert [each.folder for each in found] == ["b"]
    record = json.loads((root / "b" / "run.json").read_text())
    write_json(root / "b" / "run.json", {**record, "verb": "audit"})
    shutil.rmtree(root / "a")
    (root / "d").mkdir()
    (root / "d" / "run.json").write_text("[not a run")
    found = {each.folder: each for each in entries(root, cache)}
    assert set(found) == {"sweep/0_matcher=dlib", "b", "d"}
    assert found["b"].verb == "audit"
    assert found["d"].fault
    (database,) = (cache / "runs").glob("*.sqlite3")
    database.write_bytes(b"no database at all, only bytes" * 40)
    assert len(entries(root, cache)) == 3
    with sqlite3.connect(database) as handle:
        handle.execute("pragma user_version = 99")
    handle.close()
    assert len(entries(root, cache)) == 3


def test_an_untouched_record_is_not_read_again(tmp_path: Path) -> None:
    """Same time and size: the index answers; a touched file with the same bytes keeps its row."""
    root, cache = collection(tmp_path), tmp_path / "cache"
    entries(root, cache)
    path = root / "a" / "run.json"
    state, text = path.stat(), path.read_text()
    path.write_text(text.replace('"dlib"', '"blid"'))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert len(entries(root, cache, Filter(matcher="dlib"))) == 2
    os.utime(path)
    assert len(entries(root, cache, Filter(matcher="dlib"))) == 1


def test_an_archive_holds_the_run_and_no_ids(tmp_path: Path) -> None:
    """The same bytes twice; tables with ids stay behind by name; a changed run is refused."""
    root = collection(tmp_path)
    folder = root / "a"
    secret = pd.DataFrame({"image_id": ["james-smith-1"], "share": [0.5]})
    secret.to_csv(folder / "overlap.csv", index=False)
    secret.to_parquet(folder / "overlap.parquet", index=False)
    write_checksums(folder)
    one = archive_run(folder, tmp_path / "one.zip")
    two = archive_run(folder, tmp_path / "two.zip")
    assert one.path.read_bytes() == two.path.read_bytes()
    assert set(one.left_out) == {"overlap.csv", "overlap.parquet"}
    with zipfile.ZipFile(one.path) as archive:
        names = set(archive.namelist())
        assert {"a/run.json", "a/SHA256SUMS", "a/tally/tally.json", "LEFT_OUT.json"} <= names
        assert not any(b"james-smith" in archive.read(name) for name in names)
        archive.extractall(tmp_path / "out")
    assert (tmp_path / "out" / "a" / "rates.csv").read_bytes() == (
        folder / "rates.csv"
    ).read_bytes()
    with pytest.raises(InputError, match="exists"):
        archive_run(folder, one.path)
    (folder / "rates.csv").write_text("changed")
    with pytest.raises(InputError, match=r"rates\.csv"):
        archive_run(folder, tmp_path / "three.zip")


def test_pruning_says_first_and_keeps_what_others_need(tmp_path: Path) -> None:
    """Old runs and old leftovers go, on --yes only; a run that another one refers to stays."""
    root, cache = collection(tmp_path), tmp_path / "cache"
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    past = (now - timedelta(days=2)).timestamp()
    os.utime(root / ".c.partial-1", (past, past))

    def names(**limits: object) -> list[str]:
        found = candidates(root, entries(root, cache), now=now, **limits)  # type: ignore[arg-type]
        return [each.folder.name for each in found]

    assert names() == [".c.partial-1"]
    assert names(older_than=5) == ["a", "b", ".c.partial-1"]
    assert names(older_than=15) == ["a", ".c.partial-1"]
    assert names(keep=1) == ["a", ".c.partial-1"]
    record = json.loads((root / "b" / "run.json").read_text())
    record["config"]["operating_point"]["from_run"] = str(root / "a")
    write_json(root / "b" / "run.json", record)
    assert names(older_than=15) == [".c.partial-1"]
    remove(candidates(root, entries(root, cache), now=now, older_than=5))
    assert sorted(path.name for path in root.iterdir()) == ["a", "sweep"]


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """Each action as typed, with its exit status; unknown words are refused with the known ones."""
    root = collection(tmp_path)
    monkeypatch.setenv("FRBENCH_CACHE", str(tmp_path / "cache"))
    assert verb.command(["list", str(root)]) == 0
    assert "0_matcher=dlib" in capsys.readouterr().out
    assert verb.command(["filter", str(root), "matcher=tiny", "format=json"]) == 0
    assert [row["folder"] for row in json.loads(capsys.readouterr().out)] == ["b"]
    assert verb.command(["show", str(root / "b")]) == 0
    assert "FMR 0.01" in capsys.readouterr().out
    assert verb.command(["verify", str(root), "tables=false", "format=json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert [one["status"] for one in told] == [3, 3, 3]
    (root / "b" / "rates.csv").write_text("x")
    assert verb.command(["verify", str(root / "b"), "tables=false"]) == 1
    assert "CHANGED" in capsys.readouterr().out
    assert verb.command(["prune", str(root), "older_than=0"]) == 0
    assert (root / "a").exists()
    assert verb.command(["archive", str(root / "a"), f"output={tmp_path}"]) == 0
    assert (tmp_path / "a.zip").is_file()
    for words in (["lost"], ["verify"], ["verify", str(tmp_path / "no")], ["list", "x=1"]):
        with pytest.raises(InputError):
            verb.command(words)

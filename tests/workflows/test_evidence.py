"""Evidence packs of real runs: complete, without anybody's id, and closed against changes."""

from __future__ import annotations

import hashlib
import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_evaluate import frbench
from test_report import evaluated

from frbench.errors import InputError
from frbench.evidence.blocks import Bullets, Paper, Rows, markdown, plain
from frbench.evidence.bundle import make_pack, names_people
from frbench.evidence.paper import page
from frbench.evidence.sealing import CHAIN, SUMS, entry_hash, problems_of, seal
from reporting_fixtures import HOSTILE

PAPERS = ("equality-duty", "transparency-record-draft", "model-card")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose two groups have hostile names."""
    folder = tmp_path_factory.mktemp("evidence")
    return evaluated(folder, "run", groups=(HOSTILE[0], HOSTILE[6]))


@pytest.fixture(scope="module")
def made(run: Path) -> Path:
    """The pack of that run; tests that change it take a copy."""
    done = frbench("evidence", str(run), f"output={run.parent / 'pack'}", cwd=run.parent)
    assert done.returncode == 0, done.stderr
    return run.parent / "pack"


@pytest.fixture
def pack(made: Path, tmp_path: Path) -> Path:
    """A copy of the pack to change."""
    return Path(shutil.copytree(made, tmp_path / "pack"))


def test_it_holds_what_a_reviewer_needs(made: Path, run: Path) -> None:
    """Papers, descriptions, page, tables, settings and record are there, and the counts are not."""
    files = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    assert {f"{name}.{ending}" for name in PAPERS for ending in ("md", "html")} <= files
    inside = {"report.html", "run.json", "findings.json", "rates.csv", "config/config.yaml"}
    assert {f"runs/01_run/{name}" for name in inside} <= files
    assert not any("tally" in name for name in files)
    for name in ("report.html", "run.json", "rates.parquet"):
        assert (made / "runs/01_run" / name).read_bytes() == (run / name).read_bytes()


def test_no_person_is_named(made: Path) -> None:
    """No id of the score list's persons or images stands in any file of the pack."""
    ids = re.compile(rb"\b[pi]([0-9]|[1-7][0-9])\b")
    for path in made.rglob("*"):
        if path.suffix in (".md", ".csv", ".json", ".yaml") and path.name != CHAIN:
            assert not ids.search(path.read_bytes()), path
    for path in made.rglob("*.parquet"):
        assert not names_people(list(pd.read_parquet(path).columns)), path


def test_the_papers_leave_decisions_to_people(made: Path) -> None:
    """Every field is empty, in both forms, and no paper claims that a duty was met."""
    for name in PAPERS:
        text = (made / f"{name}.md").read_text(encoding="utf-8")
        page_text = (made / f"{name}.html").read_text(encoding="utf-8")
        questions = re.findall(r"^\*\*(.+)\*\*\n\n(.*)$", text, re.M)
        assert questions
        assert {answer for _, answer in questions} == {"(to be filled in by the organisation)"}
        assert page_text.count('class="answer"') == len(questions)
        told = "\n".join(line for line in text.splitlines() if not line.startswith("> "))
        assert not re.search(r"\b(complies|compliant|lawful|conforms|certified)\b", told)
    duty = (made / "equality-duty.md").read_text(encoding="utf-8")
    for heading in ("What was assessed", "For which groups", "With what evidence"):
        assert heading in duty
    assert "What is not known" in duty
    assert "| sex | sex |" in duty
    assert "| disability | none: not tested |" in duty
    assert "not mandatory for police forces" in (made / f"{PAPERS[1]}.md").read_text("utf-8")


def test_the_rates_in_the_papers_are_those_of_the_run(made: Path, run: Path) -> None:
    """The pooled false-match rate printed in the model card is the table's."""
    rates = pd.read_parquet(run / "rates.parquet")
    first = rates[(rates["kind"] == "FMR") & (rates["probe_group"] == "all")].iloc[0]
    card = (made / "model-card.md").read_text(encoding="utf-8")
    line = next(each for each in card.splitlines() if "| all |" in each)
    found = re.search(r"([\d.]+) × 10⁻(\S)", line)
    assert found
    shown = float(found[1]) * 10.0 ** -"⁰¹²³⁴⁵⁶⁷⁸⁹".index(found[2])
    assert shown == pytest.approx(first["errors"] / first["comparisons"], rel=0.06)


def test_the_set_is_described_without_its_images(made: Path) -> None:
    """The description's only file is the table of groups, with its true hash and columns."""
    (path,) = (made / "datasets").glob("*.croissant.json")
    described = json.loads(path.read_text(encoding="utf-8"))
    assert described["@type"] == "sc:Dataset"
    (file,) = described["distribution"]
    content = (path.parent / file["contentUrl"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == file["sha256"]
    table = pd.read_csv(path.parent / file["contentUrl"])
    (records,) = described["recordSet"]
    columns = [field["source"]["extract"]["column"] for field in records["field"]]
    assert columns == list(table.columns)
    assert table["subjects"].sum() == 40
    assert table["group"].tolist() == [HOSTILE[0], f"'{HOSTILE[6]}"]


def test_sha256sum_agrees(made: Path) -> None:
    """The system's own program accepts the list, and every file is in it."""
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", SUMS], cwd=made, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    listed = {line[66:] for line in (made / SUMS).read_text("utf-8").splitlines()}
    files = {p.relative_to(made).as_posix() for p in made.rglob("*") if p.is_file()}
    assert files - listed == {SUMS}


def test_any_changed_byte_is_found(pack: Path) -> None:
    """One hundred random changes of one byte somewhere in the pack are all found."""
    rng = np.random.default_rng(11)
    files = sorted(path for path in pack.rglob("*") if path.is_file() and path.stat().st_size)
    assert problems_of(pack) == []
    for _ in range(100):
        path = files[rng.integers(len(files))]
        content = path.read_bytes()
        place = int(rng.integers(len(content)))
        changed = bytes([content[place] ^ int(rng.integers(1, 256))])
        path.write_bytes(content[:place] + changed + content[place + 1 :])
        assert problems_of(pack), f"{path} at {place}"
        path.write_bytes(content)
    assert problems_of(pack) == []


def test_missing_and_added_files_are_named(pack: Path) -> None:
    """A file too few and a file too many are each a line, and the exit status is 1."""
    (pack / "model-card.md").unlink()
    (pack / "runs" / "note.txt").write_text("later")
    done = frbench("evidence", "verify", str(pack), cwd=pack.parent)
    assert done.returncode == 1
    assert "model-card.md: missing" in done.stdout
    assert "runs/note.txt: not in the pack when it was sealed" in done.stdout


def test_a_forged_list_still_meets_the_chain_and_the_record(pack: Path) -> None:
    """Checksums rewritten after a change are found by the chain, then by the run's record."""
    target = pack / "runs" / "01_run" / "rates.csv"
    before = hashlib.sha256(target.read_bytes()).hexdigest()
    target.write_bytes(target.read_bytes() + b"\n")
    after = hashlib.sha256(target.read_bytes()).hexdigest()
    sums = (pack / SUMS).read_text("utf-8").replace(before, after)
    (pack / SUMS).write_text(sums, "utf-8")
    assert any(CHAIN in each for each in problems_of(pack))
    chain = json.loads((pack / CHAIN).read_text("utf-8"))
    for entry in chain["entries"]:
        if entry["sha256"] == before:
            entry["sha256"] = after
    (pack / CHAIN).write_text(json.dumps(chain), "utf-8")
    assert any("was changed" in each for each in problems_of(pack))
    previous = "0" * 64
    for entry in chain["entries"]:
        entry["previous"] = previous
        previous = entry["hash"] = entry_hash(entry)
    text = json.dumps(chain)
    (pack / CHAIN).write_text(text, "utf-8")
    lines = [line for line in sums.splitlines() if not line.endswith(f"  {CHAIN}")]
    lines.append(f"{hashlib.sha256(text.encode()).hexdigest()}  {CHAIN}")
    ordered = sorted(lines, key=lambda line: line[66:])
    (pack / SUMS).write_text("\n".join(ordered) + "\n", "utf-8")
    assert problems_of(pack) == ["runs/01_run/rates.csv: differs from what the run recorded"]


def test_people_fill_in_and_seal_again(pack: Path) -> None:
    """A paper that was filled in is recorded in the chain; a measured file cannot be."""
    paper = pack / "equality-duty.md"
    paper.write_text(paper.read_text("utf-8") + "\nDecided: pause.\n", "utf-8")
    assert problems_of(pack) == ["equality-duty.md: changed since it was sealed"]
    done = frbench("evidence", "seal", str(pack), cwd=pack.parent)
    assert (done.returncode, "sealed: equality-duty.md" in done.stdout) == (0, True)
    checked = frbench("evidence", "verify", str(pack), cwd=pack.parent)
    assert (checked.returncode, "equality-duty.md changed" in checked.stdout) == (0, True)
    (pack / "runs" / "01_run" / "rates.csv").write_text("better")
    with pytest.raises(InputError, match="make a new pack"):
        seal(pack)


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen on this machine")
def test_a_signature_by_an_ssh_key(run: Path, tmp_path: Path) -> None:
    """The named signer is accepted, another one and a changed list are not."""
    for name in ("mine", "other"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(command, check=True)
    pack = tmp_path / "pack"
    make_pack([run], pack, key=tmp_path / "mine")
    for name in ("mine", "other"):
        public = (tmp_path / f"{name}.pub").read_text()
        (tmp_path / f"{name}.signers").write_text(f"officer@force.example {public}")
    good = frbench(
        "evidence", "verify", str(pack), f"signers={tmp_path}/mine.signers", cwd=tmp_path
    )
    assert (good.returncode, "officer@force.example" in good.stdout) == (0, True), good.stdout
    bad = frbench(
        "evidence", "verify", str(pack), f"signers={tmp_path}/other.signers", cwd=tmp_path
    )
    assert (bad.returncode, "signature" in bad.stdout) == (1, True)
    (pack / "README.md").write_text("another")
    seal(pack)
    unsigned = frbench(
        "evidence", "verify", str(pack), f"signers={tmp_path}/mine.signers", cwd=tmp_path
    )
    assert (unsigned.returncode, "not signed" in unsigned.stdout) == (1, True)


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl on this machine")
def test_a_signature_by_openssl(run: Path, tmp_path: Path) -> None:
    """A PEM key signs, its public half verifies, and a changed list fails."""
    private, public = tmp_path / "key.pem", tmp_path / "public.pem"
    curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subprocess.run(["openssl", "genpkey", *curve, "-out", private], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    pack = tmp_path / "pack"
    make_pack([run], pack, key=private)
    good = frbench("evidence", "verify", str(pack), f"key={public}", cwd=tmp_path)
    assert (good.returncode, "Verified OK" in good.stdout) == (0, True), good.stdout
    (pack / SUMS).write_text((pack / SUMS).read_text().upper())
    assert frbench("evidence", "verify", str(pack), f"key={public}", cwd=tmp_path).returncode == 1


def test_a_run_that_was_changed_is_refused(run: Path, tmp_path: Path) -> None:
    """A pack is not made from tables that are not those the run wrote."""
    changed = Path(shutil.copytree(run, tmp_path / "changed"))
    (changed / "rates.csv").write_text("better")
    with pytest.raises(InputError, match=r"changed after it was made"):
        make_pack([changed], tmp_path / "pack")
    assert not (tmp_path / "pack").exists()


def test_wrong_words_are_sentences(made: Path, run: Path, tmp_path: Path) -> None:
    """No output, an output in use, a strange setting and a missing key are told."""
    for words, told in (
        ((str(run),), "output=DIR"),
        ((str(run), f"output={made}"), "exists already"),
        ((str(run), "output=x", "colour=red"), "colour=red is no setting"),
        ((str(run), "output=x", "key=nowhere"), "no such file"),
        (("verify", str(run)), "no evidence pack"),
        (("verify",), "name one evidence pack"),
    ):
        done = frbench("evidence", *words, cwd=tmp_path)
        assert (done.returncode, told in done.stderr) == (2, True), (words, done.stderr)


@pytest.mark.parametrize("label", [*HOSTILE, "a | b", "[x](javascript:1)", "1. x", "# h", "`c`"])
def test_labels_stay_text_in_both_forms(label: str) -> None:
    """A label in a cell or a list makes no element, link, heading or further cell."""
    blocks = [Rows("table", ["group", "n"], [[label, "1"]]), Bullets([label])]
    paper = Paper("p", "kind", f"About {label}", "lead", "caution", blocks)
    text, rendered = markdown(paper), page(paper)
    row = next(line for line in text.splitlines() if line.startswith("| ") and line.endswith("1 |"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 3
    assert not re.search(r"<(?!/?bdi)", plain(label))
    assert not re.search(r"^- (#|\d+\.|[-+=])", text, re.M)
    assert not re.search(r"(?<!\\)\[", plain(label))
    assert "<script" not in rendered
    assert "<img" not in rendered
    assert "onerror" not in re.sub(r">[^<]*<", "><", rendered)
    if label.isascii() and len(label) < 80:
        assert label in html.unescape(rendered)


def test_columns_that_name_people_are_known() -> None:
    """Ids, paths and examples are personal; counts of persons are not."""
    assert names_people(["group", "probe_id"])
    assert names_people(["path"])
    assert names_people(["fault", "example"])
    assert not names_people(["group", "subjects", "images_per_subject", "share_subjects"])

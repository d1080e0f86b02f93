"""Hand out a run's counts without anybody's face or id, and pool what several forces hand out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from frbench.errors import InputError
from frbench.exchange.counts import Bundle, bundle_of
from frbench.exchange.files import read_bundle, write_bundle
from frbench.exchange.forces import pool
from frbench.exchange.page import pooled_page
from frbench.jobs import Outcome, save_outcome
from frbench.runs import hash_file
from frbench.staging import run_place, staged
from frbench.stored_run import read_report_data
from frbench.tables import SCHEMA_VERSION
from frbench.values import ALL

HELP = """\
frbench exchange export RUN output=FILE source=NAME [k=10] [arm=NAME]
frbench exchange import FILE
frbench exchange pool FILE FILE… output=DIR

export  writes counts per group and pair of groups as one JSON file: no face, no template, no score,
        no id. Counts between 1 and k - 1 and groups of fewer than k persons are held back, with
        others that would give them away by subtraction.
import  checks a bundle that somebody sent and shows what is in it.
pool    adds up the bundles of several forces that tested one matcher at one fixed threshold, with
        intervals over persons and a test whether the forces differ; writes a run folder.
"""


def command(arguments: Sequence[str]) -> int:
    """Exports, checks or pools."""
    if not arguments or any(word in ("-h", "--help") for word in arguments):
        print(HELP)
        return 0
    doing, words = arguments[0], arguments[1:]
    known = {"export": ("output", "source", "k", "arm"), "import": (), "pool": ("output",)}
    if doing not in known:
        raise InputError(f"frbench exchange {doing} is unknown; it does export, import and pool.")
    settings, places = _parsed(words, known[doing])
    if doing == "export":
        return _export(places, settings)
    if doing == "import":
        if len(places) != 1:
            raise InputError("name one bundle: frbench exchange import FILE.")
        _show(read_bundle(places[0]))
        return 0
    return _pool(places, settings)


def _export(places: Sequence[Path], settings: dict[str, str]) -> int:
    if len(places) != 1:
        raise InputError("name one finished run: frbench exchange export RUN output=FILE.")
    for key, example in (("output", "counts.json"), ("source", "'Example Police'")):
        if not settings.get(key):
            raise InputError(f"say {key}=…, such as {key}={example}.")
    try:
        k = int(settings.get("k", "10"))
    except ValueError:
        raise InputError(f"k={settings['k']} is not a whole number.") from None
    run = read_report_data(places[0])
    bundle = bundle_of(run, source=settings["source"], k=k, arm=settings.get("arm"))
    output = Path(settings["output"]).expanduser()
    digest = write_bundle(bundle, output)
    held = sum(cell.errors is None for cell in bundle.cells)
    print(f"{output}: {len(bundle.cells)} counts, {held} of them held back (k={k}).")
    print(f"SHA-256 of the content: {digest}")
    return 0


def _show(bundle: Bundle) -> None:
    console = Console(width=None if Console().is_terminal else 120)
    told = bundle.about
    synthetic = " (synthetic faces)" if told.get("synthetic") else ""
    console.print(
        escape(
            f"{bundle.source}: {told.get('matcher')} on {told.get('set')}{synthetic}, "
            f"{bundle.totals[0]:,} persons, {bundle.totals[1]:,} images; counts below {bundle.k} "
            f"are held back; SHA-256 {bundle.sha256}"
        )
    )
    table = Table("kind", "point", "group", "with", box=None, pad_edge=False)
    for name in ("errors", "comparisons"):
        table.add_column(name, justify="right")
    for cell in bundle.cells:
        shown = [
            "held back" if each is None else f"{each:,}" for each in (cell.errors, cell.comparisons)
        ]
        names = (cell.kind, cell.point, cell.probe_group, cell.reference_group)
        table.add_row(*map(escape, names), *shown)
    console.print(table)


def _pool(places: Sequence[Path], settings: dict[str, str]) -> int:
    if not settings.get("output"):
        raise InputError("say where the pooled tables go: output=DIR.")
    started = datetime.now(UTC).isoformat(timespec="seconds")
    bundles = [read_bundle(place) for place in places]
    table = pool(bundles)
    final = run_place(settings["output"])
    inputs = {
        "bundles": [
            {"source": each.source, "sha256": each.sha256, "file_sha256": hash_file(place)}
            for each, place in zip(bundles, places, strict=True)
        ],
        "thresholds_shared": bundles[0].thresholds,
    }
    outcome = Outcome(
        tables={"pooled": table},
        findings=(),
        page=lambda record: pooled_page(table, bundles, record),
        config={"bundles": [str(place) for place in places]},
        inputs=inputs,
    )
    with staged(final, final.with_name(f".{final.name}.partial")) as folder:
        common = {
            "schema_version": SCHEMA_VERSION,
            "run_id": final.name,
            "verb": "exchange",
            "started": started,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        save_outcome(folder, outcome, common)
    total = table[(table["probe_group"] == ALL) & (table["kind"] == "FMR")]
    for row in total.itertuples():
        print(
            f"{row.operating_point}: {row.errors:,} false matches in {row.comparisons:,} "
            f"comparisons of {row.sources} sources"
        )
    print(f"Report: {final / 'report.html'}")
    return 0


def _parsed(words: Sequence[str], known: Sequence[str]) -> tuple[dict[str, str], list[Path]]:
    settings: dict[str, str] = {}
    places: list[Path] = []
    for word in words:
        name, sign, value = word.partition("=")
        if sign and name in known:
            settings[name] = value
        elif word.startswith("-") or (sign and not Path(word).expanduser().exists()):
            raise InputError(f"{word} is no setting here; it takes {', '.join(known) or 'none'}.")
        else:
            places.append(Path(word).expanduser())
    return settings, places

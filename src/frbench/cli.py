"""The command line: ``frbench <verb> [overrides]``. A verb is a module in ``workflows/``.

Exit status: 0 nothing at the gate; 1 a finding at or above it; 2 bad input or failure, said in
one sentence; 3 a gated rule lacks the evidence; 130 interrupted, to be resumed.
"""

from __future__ import annotations

import ast
import difflib
import functools
import importlib
import io
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from frbench.errors import InputError

TAKING_A_VALUE = {
    *("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn"),
    *("--config-dir", "-cd", "--experimental-rerun", "--info", "-i"),
}
"""Flags of the configuration system that are followed by a word."""

DONE, AT_GATE, FAILED, UNDECIDED, INTERRUPTED = 0, 1, 2, 3, 130


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs one verb and exits with its status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # a terminal that lacks a sign shows "?", rather than failing a run that is complete
        sys.stdout.reconfigure(errors="replace")
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Runs one verb and gives its exit status."""
    known = verbs()
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview(known))
        return DONE
    if arguments[0] in ("-V", "--version", "version"):
        from frbench import __version__

        print(f"frbench {__version__}")
        return DONE
    verb, rest = arguments[0], arguments[1:]
    if verb not in known:
        near = difflib.get_close_matches(verb, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known)}."
        return _say(f"there is no verb {verb!r}{hint}")
    module = importlib.import_module(f"frbench.workflows.{verb}")
    if hasattr(module, "command"):
        return guarded(lambda: int(module.command(rest)))
    return _hydra_verb(verb, module.main, rest)


def verbs() -> dict[str, str]:
    """Every verb with its first line of help, found from file names without importing them."""
    folder = Path(__file__).resolve().parent / "workflows"
    found = {}
    for file in sorted(folder.glob("[a-z]*.py")):
        words = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        found[file.stem] = words.splitlines()[0] if words else ""
    return found


def guarded(work: Callable[[], int]) -> int:
    """Runs ``work``; turns what goes wrong into a sentence on stderr and an exit status."""
    try:
        return work()
    except InputError as problem:
        return _say(str(problem))
    except KeyboardInterrupt:
        _say("interrupted; finished templates and counts are kept, run the same command to resume.")
        return INTERRUPTED
    except MemoryError:
        return _say("out of memory; take a smaller embedding.batch or fewer images.")
    except Exception as failure:
        if os.environ.get("FRBENCH_TRACEBACK"):
            traceback.print_exc()
        return _say(
            f"unexpected failure ({type(failure).__name__}: {failure}); this is a fault in frbench,"
            " not in your input; FRBENCH_TRACEBACK=1 shows where."
        )


def _hydra_verb(verb: str, task: Callable[[Any], int], arguments: list[str]) -> int:
    import hydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from frbench.config import config_dir
    from frbench.staging import run_place

    # threads that spin while they wait for each other starve on a machine that others use too
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    token = os.urandom(4).hex()

    def partial(final: str) -> str:
        place = run_place(final)
        return str(place.with_name(f".{place.name}.partial-{token}"))

    OmegaConf.register_new_resolver("frbench.partial", partial, replace=True)
    OmegaConf.register_new_resolver("frbench.measured", _measured, replace=True)
    statuses: list[int] = []
    sweeps: set[str] = set()

    def job(cfg: Any) -> None:
        sweeps.update(_sweep_folder())
        statuses.append(guarded(lambda: task(cfg)))
        if statuses[-1] == INTERRUPTED:
            raise KeyboardInterrupt

    sys.argv = [f"frbench {verb}", *map(home_expanded, flags_first(arguments))]
    try:
        with _errors_left_to_us():
            hydra.main(version_base="1.3", config_path=str(config_dir()), config_name=verb)(job)()
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as leaving:
        return FAILED if leaving.code not in (0, None) else DONE
    except (HydraException, OmegaConfBaseException, ValueError) as wrong:
        return _say(f"the configuration cannot be used: {_reasons(wrong)}")
    except BrokenPipeError:
        # whoever read the help has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _worst(statuses)
    except OSError as cause:
        return _say(
            f"{cause.filename}: cannot be written ({cause.strerror}); choose another folder with "
            "output=DIR."
        )
    if verb == "evaluate":
        jobs = len(statuses)
        statuses += [guarded(functools.partial(_aggregated, each, jobs)) for each in sorted(sweeps)]
    return _worst(statuses)


def _sweep_folder() -> set[str]:
    """The folder of the sweep that the running job belongs to, if it belongs to one."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    hydra = HydraConfig.get()
    return {str(hydra.sweep.dir)} if hydra.mode == RunMode.MULTIRUN else set()


def _aggregated(folder: str, jobs: int) -> int:
    """Ends a sweep with one table and one page; a sweep without any run has failed already."""
    from frbench.run_collection.sweep import write_sweep

    if not any(Path(folder).glob("*/run.json")):
        return DONE
    print(f"Sweep: {write_sweep(Path(folder), jobs=jobs) / 'report.html'}")
    return DONE


def home_expanded(word: str) -> str:
    """``key=~/faces`` with the home folder in the place of ``~``.

    Shells leave it alone after a key with a dot, and the override grammar has no such sign.
    """
    key, _, value = word.partition("=")
    return f"{key}={os.path.expanduser(value)}" if re.match(r"~(/|$)", value) else word


def _measured(matcher: str, benchmark: str) -> str:
    """What a run's folder is named after; a list of scores has no matcher of ours."""
    return benchmark if benchmark == "scores" else f"{matcher}_{benchmark}"


def _hear_ourselves() -> None:
    """Undoes the configuration system's silencing of every logger for our own warnings."""
    ours = logging.getLogger("frbench")
    ours.disabled = False
    ours.setLevel(logging.WARNING)


@contextmanager
def _errors_left_to_us() -> Iterator[None]:
    """Lets the configuration system raise what it would otherwise print as a traceback."""
    name = "HYDRA_FULL_ERROR"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _reasons(wrong: Exception) -> str:
    from hydra.errors import OverrideParseException

    if os.environ.get("FRBENCH_TRACEBACK"):
        traceback.print_exception(wrong)
    told = [str(each).strip() for each in (wrong, wrong.__cause__) if each is not None]
    if isinstance(wrong, OverrideParseException):
        told.append(
            "a value with spaces, commas, = or letters beyond a-z needs quotes of its own, as in "
            "'benchmark.root=\"my faces\"'"
        )
    return "\n".join(told)


def flags_first(arguments: Sequence[str]) -> list[str]:
    """The same arguments with flags before overrides: the parser takes overrides in one piece."""
    flags: list[str] = []
    overrides: list[str] = []
    waiting = iter(arguments)
    for word in waiting:
        if not word.startswith("-"):
            overrides.append(word)
            continue
        flags.append(word)
        if word in TAKING_A_VALUE:
            flags += [value for value in [next(waiting, None)] if value is not None]
    return [*flags, *overrides]


def _worst(statuses: Sequence[int]) -> int:
    for status in (FAILED, AT_GATE, UNDECIDED):
        if status in statuses:
            return status
    return DONE


def _say(sentence: str) -> int:
    print(f"frbench: {sentence}", file=sys.stderr)
    return FAILED


def _overview(known: dict[str, str]) -> str:
    width = max(map(len, known))
    lines = [f"  {verb:<{width}}  {words}" for verb, words in known.items()]
    return "\n".join(
        [
            "frbench — facial-recognition fairness evaluation",
            "",
            "  frbench VERB [GROUP=CHOICE …] [KEY=VALUE …]",
            "",
            *lines,
            "",
            "`frbench VERB --help` explains a verb and lists its choices.",
        ]
    )

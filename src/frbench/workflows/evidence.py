"""Gather finished runs into an evidence pack: papers for people, checksums, chain, signature."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from frbench.errors import InputError
from frbench.evidence.bundle import make_pack
from frbench.evidence.sealing import CHAIN, SUMS, head, history, problems_of, seal
from frbench.evidence.signing import check, sign

HELP = """\
frbench evidence RUN… output=DIR [key=PRIVATE_KEY]
frbench evidence seal DIR [key=PRIVATE_KEY]
frbench evidence verify DIR [signers=FILE] [identity=WHO] [key=PUBLIC_KEY]

Gathers finished runs into a folder: a paper along the equality duty's questions with empty fields
for the people who decide, a draft of a transparency record, a model card, a description of each set
in the vocabulary of Croissant, and every run's page, tables, settings and record. Every file is in
SHA256SUMS and in a hash chain; no image, template or id of a person goes in. It claims no
conformance and is no legal opinion.

  seal      after people have filled in the papers: the chain records what changed
  verify    exit status 1 when anything differs from the seal, the chain or the runs' own records
  key       signs with an OpenSSH key (ssh-keygen -Y sign) or a PEM key (openssl); for verify the
            public PEM key
  signers   allowed signers as OpenSSH defines them; identity chooses one of them
"""
KEYS = {
    "make": ("output", "key"),
    "seal": ("key",),
    "verify": ("signers", "identity", "key"),
}


def command(arguments: Sequence[str]) -> int:
    """Makes, seals or checks a pack."""
    if not arguments or any(word in ("-h", "--help") for word in arguments):
        print(HELP)
        return 0
    doing = arguments[0] if arguments[0] in ("seal", "verify") else "make"
    settings, folders = _parsed(arguments[doing != "make" :], KEYS[doing])
    key = _file(settings, "key")
    if doing == "make":
        return _make(folders, settings, key)
    if len(folders) != 1:
        raise InputError(f"name one evidence pack: frbench evidence {doing} DIR.")
    if doing == "seal":
        return _seal(folders[0], key)
    return _verify(folders[0], settings, key)


def _make(folders: Sequence[Path], settings: dict[str, str], key: Path | None) -> int:
    if not folders:
        raise InputError("name at least one finished run: frbench evidence RUN output=DIR.")
    if not settings.get("output"):
        raise InputError("say where the pack goes: output=DIR.")
    output = Path(settings["output"]).expanduser()
    runs = make_pack(folders, output, key=key)
    print(f"Evidence pack of {len(runs)} {'run' if len(runs) == 1 else 'runs'}: {output}")
    print(f"Last hash of the chain: {head(output)}")
    return 0


def _seal(folder: Path, key: Path | None) -> int:
    if not (folder / CHAIN).is_file():
        raise InputError(f"{folder}: no {CHAIN} in it; it is no evidence pack.")
    changed = seal(folder)
    if key is not None:
        sign(folder / SUMS, key)
    print("\n".join(f"sealed: {path}" for path in changed) or "nothing had changed")
    print(f"Last hash of the chain: {head(folder)}")
    return 0


def _verify(folder: Path, settings: dict[str, str], key: Path | None) -> int:
    problems = problems_of(folder)
    signature = check(
        folder / SUMS,
        key=key,
        signers=_file(settings, "signers"),
        identity=settings.get("identity"),
    )
    if signature is None and (key or settings):
        problems.append("the pack is not signed")
    if signature is not None and not signature.good:
        problems.append(f"signature: {signature.words}")
    for problem in problems:
        print(problem)
    if problems:
        count = f"{len(problems)} {'problem' if len(problems) == 1 else 'problems'}"
        print(f"{folder}: NOT as it was sealed ({count}).")
        return 1
    for line in history(folder):
        print(line)
    told = "not signed" if signature is None else f"signature: {signature.words}"
    print(f"{folder}: as it was sealed; {told}.")
    print(f"Last hash of the chain: {head(folder)}")
    return 0


def _parsed(words: Sequence[str], known: Sequence[str]) -> tuple[dict[str, str], list[Path]]:
    settings: dict[str, str] = {}
    folders: list[Path] = []
    for word in words:
        name, sign_, value = word.partition("=")
        if sign_ and name in known:
            settings[name] = value
        elif word.startswith("-") or (sign_ and name.isidentifier() and not Path(word).exists()):
            raise InputError(
                f"{word} is no setting here; frbench evidence takes {', '.join(known)}."
            )
        else:
            folders.append(Path(word).expanduser())
    return settings, folders


def _file(settings: dict[str, str], name: str) -> Path | None:
    if not settings.get(name):
        return None
    path = Path(settings[name]).expanduser()
    if not path.is_file():
        raise InputError(f"{name}={path}: there is no such file.")
    return path

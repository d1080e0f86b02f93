"""Signatures over the list of checksums, by the user's own key and the system's own tools."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from frbench.errors import InputError

NAMESPACE = "frbench-evidence"
SSH_SIGNATURE, SSL_SIGNATURE = "SHA256SUMS.sig", "SHA256SUMS.openssl-sig"
SIGNATURES = (SSH_SIGNATURE, SSL_SIGNATURE)
SECONDS = 60


@dataclass(frozen=True)
class Checked:
    """What is known of a signature: whether it holds, whether the signer is known, in words."""

    good: bool
    known: bool
    words: str


def sign(sums: Path, key: Path) -> Path:
    """Signs ``sums`` with a private key: OpenSSH (``ssh-keygen -Y sign``) or PEM (``openssl``).

    The key is read by those programs alone and never copied.

    Raises:
        InputError: the key cannot be read or used, or the program is missing.
    """
    for name in SIGNATURES:
        (sums.parent / name).unlink(missing_ok=True)
    if _is_openssh(key):
        command = ["ssh-keygen", "-Y", "sign", "-q", "-f", str(key), "-n", NAMESPACE, str(sums)]
        target = sums.parent / SSH_SIGNATURE
    else:
        target = sums.parent / SSL_SIGNATURE
        command = ["openssl", "dgst", "-sha256", "-sign", str(key), "-out", str(target), str(sums)]
    done = _run(command)
    if done.returncode or not target.is_file():
        raise InputError(f"key={key}: could not sign ({_last(done)}); give a private key of yours.")
    return target


def check(
    sums: Path, *, key: Path | None = None, signers: Path | None = None, identity: str | None = None
) -> Checked | None:
    """Checks the signature beside ``sums``; None where there is none.

    Args:
        sums: the list of checksums.
        key: the signer's public key as PEM, for a signature by openssl.
        signers: a file of allowed signers, as OpenSSH defines it.
        identity: which of them must have signed; default: any.
    """
    ssh, ssl = (sums.parent / name for name in SIGNATURES)
    if ssh.is_file():
        return _check_ssh(sums, ssh, signers, identity)
    if ssl.is_file():
        return _check_ssl(sums, ssl, key)
    return None


def _check_ssh(sums: Path, signature: Path, signers: Path | None, identity: str | None) -> Checked:
    start = ["ssh-keygen", "-Y"]
    end = ["-n", NAMESPACE, "-s", str(signature)]
    content = sums.read_bytes()
    if signers is None:
        done = _run([*start, "check-novalidate", *end], content)
        words = "unknown signer; name a file of allowed signers with signers=FILE"
        return Checked(done.returncode == 0, False, f"{_first(done)} ({words})")
    if identity is None:
        found = _run([*start, "find-principals", "-f", str(signers), "-s", str(signature)])
        names = found.stdout.decode("utf-8", "replace").split()
        if not names:
            return Checked(False, False, f"the signer is not among those of {signers}")
        identity = names[0]
    done = _run([*start, "verify", "-f", str(signers), "-I", identity, *end], content)
    return Checked(done.returncode == 0, done.returncode == 0, _first(done))


def _check_ssl(sums: Path, signature: Path, key: Path | None) -> Checked:
    if key is None:
        return Checked(True, False, "not checked: name the signer's public key with key=FILE")
    command = ["openssl", "dgst", "-sha256", "-verify", str(key), "-signature", str(signature)]
    done = _run([*command, str(sums)])
    return Checked(done.returncode == 0, done.returncode == 0, _first(done))


def _is_openssh(key: Path) -> bool:
    try:
        return b"OPENSSH PRIVATE KEY" in key.read_bytes()[:200]
    except OSError as cause:
        raise InputError(f"key={key}: cannot be read ({cause.strerror}).") from cause


def _run(command: list[str], content: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    if shutil.which(command[0]) is None:
        raise InputError(f"{command[0]} is not installed, and this signature needs it.")
    try:
        return subprocess.run(
            command,
            input=content,
            capture_output=True,
            timeout=SECONDS,
            check=False,
            start_new_session=True,  # no terminal to ask for a passphrase on
        )
    except subprocess.TimeoutExpired as cause:
        raise InputError(
            f"{command[0]} gave no answer; a key with a passphrase needs an agent."
        ) from cause


def _first(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").strip().splitlines()
    return lines[0][:200] if lines else f"exit status {done.returncode}"


def _last(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else f"exit status {done.returncode}"

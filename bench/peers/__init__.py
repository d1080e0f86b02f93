"""The other tools that frbench is compared with, each in an environment of its own.

Nothing is installed together: some of them need numpy < 2, others numpy 2. Files go in and out.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """One tool.

    Attributes:
        name: of its distribution, and of its environment.
        pins: what is installed.
        adapter: script that answers the conformance cases in the peer's interpreter.
        borrows: True when the environment sees this project's packages (torch is 5 GB).
    """

    name: str
    pins: tuple[str, ...]
    adapter: str
    borrows: bool = False


_PKG_RESOURCES = "setuptools<81"
"""The last setuptools with ``pkg_resources``, which pyeer and dask-ml import without saying so."""

PEERS = (
    Peer("bob.measure", ("bob.measure==6.1.1",), "bob_measure.py"),
    Peer(
        "bob.bio.base",
        # dask-ml 2024.3, which it needs, imports a name that scikit-learn 1.6 no longer has
        ("bob.bio.base==8.1.1", "scikit-learn==1.5.2", _PKG_RESOURCES),
        "bob_bio_base.py",
    ),
    Peer("pyeer", ("pyeer==0.5.6", _PKG_RESOURCES), "pyeer_scores.py"),
    Peer("fairlearn", ("fairlearn==0.15.0",), "fairlearn_frame.py"),
    Peer(
        "torchmetrics",
        ("torchmetrics==1.9.0", "lightning-utilities"),
        "torchmetrics_groups.py",
        borrows=True,
    ),
    Peer("cimat", ("cimat==0.1.2",), "cimat_variance.py"),
)


def peer(name: str) -> Peer:
    """The tool of that name."""
    return next(each for each in PEERS if each.name == name)

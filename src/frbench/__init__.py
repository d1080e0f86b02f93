"""frbench: facial-recognition fairness evaluation. Read the rooms in the order data walks them.

faces -> groups -> embedding -> comparison -> thresholds -> rates -> gaps -> judging -> runs
-> reporting; `workflows/evaluate.py` is that walk as code.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from frbench.frame import ErrorRates, open_run

__all__ = ["ErrorRates", "__version__", "open_run"]


def __getattr__(name: str) -> Any:
    """The notebook's names, imported on first use so that ``import frbench`` stays light."""
    if name in ("ErrorRates", "open_run"):
        from frbench import frame

        return getattr(frame, name)
    raise AttributeError(f"module 'frbench' has no attribute {name!r}")

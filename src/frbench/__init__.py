"""frbench: facial-recognition fairness evaluation. Read the rooms in the order data walks them.

faces -> groups -> embedding -> comparison -> thresholds -> rates -> gaps -> judging -> runs
-> reporting; `workflows/evaluate.py` is that walk as code.
"""

__version__ = "0.1.0"

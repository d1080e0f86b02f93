"""A training set against a population: who is in it, why, for how long, and who leaks into tests.

Read in this order: ``manifest`` (rows and what was wrong with them), ``composition`` (shares with
person-level intervals), ``divergence`` (one number per label), ``history`` (months and sources),
``overlap`` (people who are in the benchmark set too), ``page``.
"""

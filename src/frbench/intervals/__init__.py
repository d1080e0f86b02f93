"""The shelf of interval methods for one rate, each respecting that persons, not comparisons,
are the units of independence."""

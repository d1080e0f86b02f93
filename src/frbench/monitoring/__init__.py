"""Watching a system over time, with a false-alarm rate that holds for as long as one watches.

``betting.py`` is the test, ``series.py`` applies it to live counts, ``stored.py`` and
``changes.py`` compare runs with the approved one, ``drift.py`` looks at scores and people.
"""

"""What differs between runs: their inputs, their cells, and whom the panel's criteria put first.

loaded -> comparable -> inputs, moved, ranking -> markdown, page; ``workflows/diff.py`` walks them.
"""

"""Matchers that are black boxes: comparisons are planned, asked for in batches, and stopped early.

Read in this order: ``comparator`` (what a vendor must offer), ``schedule`` and ``plan`` (which
comparisons to ask for), ``evidence`` and ``gate`` (when enough has been seen), ``asking`` and
``run`` (asking, surviving interruptions, and what comes back), ``needed`` (the honest sentence).
"""

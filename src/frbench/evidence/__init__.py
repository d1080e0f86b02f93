"""An evidence pack: finished runs with the papers that people sign, hashed, chained and checkable.

``blocks`` and ``paper`` say what a paper is made of; ``duty``, ``transparency``, ``card`` and
``croissant`` write one each from ``facts``; ``bundle`` lays the pack out; ``sealing`` hashes and
chains it; ``signing`` lets the user's own key sign it.
"""

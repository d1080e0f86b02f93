"""The feedback loop of the guidance's example, round by round.

deploy → alerts → stops → arrests → disposals → retained images → retrain → deploy …

``world.py`` is what is stated about people and police, ``starting.py`` what the matcher's rates are
when the loop begins, ``loop.py`` the rounds, ``urn.py`` the urns whose limits are known in closed
form, ``response.py`` the fit of false-match rates to training shares, ``summary.py`` the tables.
"""

"""Rooms of ``frbench retrain``: images, effects, variance, what links data and errors, the page."""

"""Synthetic faces from first principles: no photograph, no person, no licence.

Reading order: ``identity`` (who: 40-odd traits whose distribution the demographic factors shift),
``capture`` (how the picture was taken: pose, light, expression, camera), ``surface`` (the height
field), ``skin`` (its colour), ``light`` (shading), ``render`` (pose, background, camera, pixels).

The shifts between groups are devices that give the groups something to differ in; they are no
claim about real people.
"""

RENDERER_VERSION = "1"
"""Raised whenever the same seed would give other pixels; part of the cache key."""

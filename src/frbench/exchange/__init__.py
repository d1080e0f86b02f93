"""Counts that forces can pool without handing anybody's face, template or id to anybody.

``counts`` takes the cells of a run; ``suppression`` holds small ones back so that no margin gives
them away; ``files`` writes and reads the bundle; ``forces`` pools several.
"""

"""The comparison engine's inner loops: exact counts at the speed of the matrix product."""

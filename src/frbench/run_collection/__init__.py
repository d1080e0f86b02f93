"""Run folders as a collection: found, indexed, verified, archived, and sweeps put on one page."""

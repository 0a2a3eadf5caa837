"""Damaged files of every kind that PhenViz reads: the right result, or one error that says why."""

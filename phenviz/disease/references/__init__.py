"""Known pairs of traits and contexts, to compare hypotheses with."""

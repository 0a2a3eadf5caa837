"""The page Individual: one person's two haplotypes."""

"""The page Disease: traits by contexts, and the evidence."""

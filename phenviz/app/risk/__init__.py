"""The page Risk: scores of a trait for one person, beside those of reference people, down to bases."""

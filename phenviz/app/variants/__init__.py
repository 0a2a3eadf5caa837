"""The page Variants: effects of a list of variants."""

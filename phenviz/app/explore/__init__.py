"""The page Explore: tracks of a locus, mutagenesis, gradients."""

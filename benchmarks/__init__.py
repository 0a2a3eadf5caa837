"""Side-by-side timings against peers: same model, same input, one run; nothing is asserted about time."""

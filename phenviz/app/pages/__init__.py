"""Pages: each lays out components over one state."""

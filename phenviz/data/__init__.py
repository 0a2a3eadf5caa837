"""Data that PhenViz carries, fetches and reads: the embedded world, data packs, project files."""

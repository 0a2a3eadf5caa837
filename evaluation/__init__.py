"""Evaluations of the embedded models; each writes its tables and a section of the model card.

Run from the repository's root, with the data packs fetched: ``python -m evaluation.motifs``,
``python -m evaluation.mpra``, ``python -m evaluation.readout``.
"""

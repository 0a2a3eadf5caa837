"""Evaluations of the embedded models; each writes its tables and a section of the model card or the manual.

Run from the repository's root, with the data packs fetched: ``python -m evaluation`` does all that isn't done
for these weights yet (`evaluation.steps`), ``python -m evaluation.mpra`` one of them.
"""

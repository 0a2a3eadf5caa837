"""Embed edited sequences, exactly and cheaply: edits, engines, and the one way from embeddings to effects.

`Edit` says what is replaced on a contig, `edited_sequence.EditedSequence` is the contig with its edits. An
engine (`engines.engine_for`) embeds it: a change of one base through a `LocalBackbone` recomputes only what
that base reaches, other edits a crop, and a global backbone its whole window. A reduction (`reductions`)
turns embeddings of bins into what is asked: activity around an edit, or the expression of a gene.
"""

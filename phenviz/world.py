"""Everything that one session works on: reference, annotation, model, contexts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from phenviz.data.cache import cache_dir
from phenviz.data.embedded_world import embedded_project
from phenviz.data.project import Project, read_project
from phenviz.data.project_backbone import ADAPTED, NamedBackbone
from phenviz.errors import DataError, LocusError, ModelError, PhenvizError
from phenviz.genome import (
    Annotation,
    Context,
    Locus,
    ReferenceGenome,
    bare_contig,
    read_bands,
    read_elements,
    read_genes,
    read_transcripts,
)
from phenviz.genome.contexts import choose_contexts, offer_contexts
from phenviz.genome.locus import is_contig_name, is_rsid, shown_contig

if TYPE_CHECKING:
    import pandas as pd

    from phenviz.data.own_tracks import OwnTrack
    from phenviz.models.backbone import SequenceBackbone
    from phenviz.models.phenformer import Phenformer
    from phenviz.models.readout import GeneReadout
    from phenviz.variation import Individuals

# a one-base hit (an rsID) is shown with this many bases on each side
_HIT_FLANK = 500
# contigs that are named where something isn't found on them
_FEW_CONTIGS = 5


def open_world(path: str | os.PathLike[str] | None = None) -> World:
    """Open the embedded world, or the one that a ``project.yaml`` describes.

    Nothing is read before it is asked for, so that opening takes an instant.

    Parameters
    ----------
    path
        A ``project.yaml``; None for the embedded world (human chromosome 20, GRCh37).

    Raises
    ------
    ProjectError
        If an entry of the file is missing or wrong.
    """
    return World(embedded_project() if path is None else read_project(path))


class World:
    """Reference, annotation, contexts, model and individuals of one session.

    Parameters
    ----------
    project
        Where each part lies.

    Attributes
    ----------
    name, assembly
        As in the project.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self.name = project.name
        self.assembly = project.assembly
        self._peaks: tuple[tuple[str, ...], pd.DataFrame | None] = ((), None)

    def __reduce__(self) -> tuple[type[World], tuple[Project]]:
        """Pickle where the parts lie, and not what was read: another process opens them for itself."""
        path = self.project.path
        return type(self), (replace(self.project, path=path.absolute() if path else None),)

    @cached_property
    def reference(self) -> ReferenceGenome:
        """Sequence of the assembly."""
        return ReferenceGenome(self.project.reference, assembly=self.assembly, cache_dir=cache_dir())

    @cached_property
    def annotation(self) -> Annotation:
        """Genes, bands and regulatory elements."""
        project = self.project
        with project.naming("annotation"):
            genes = read_genes(project.annotation, cache_dir=cache_dir())
        with project.naming("bands"):
            bands = read_bands(project.bands) if project.bands else None
        with project.naming("elements"):
            elements = read_elements(project.elements) if project.elements else None
        return Annotation(genes, bands, elements)

    @cached_property
    def transcripts(self) -> pd.DataFrame:
        """All transcripts, not only the one that stands for each gene; read when first asked for.

        Columns `phenviz.genome.annotation.GENE_COLUMNS`; gene_id holds the id of the transcript.
        """
        project = self.project
        with project.naming("transcripts" if project.transcripts else "annotation"):
            table = read_transcripts(project.transcripts or project.annotation)
        return table.sort_values(["contig", "start"], kind="stable", ignore_index=True)

    @cached_property
    def backbone(self) -> SequenceBackbone:
        """The sequence model.

        Raises
        ------
        ModelError
            If the world has no checkpoint, or a damaged one, or a class that can't be used or that gives
            wrong results (`phenviz.models.opening.check_opened`).
        DataError
            If it predicts other contexts than the project lists.
        """
        from phenviz.models.opening import check_opened

        backbone = self.load_backbone()
        if self.project.backbone is not None:
            with self.project.naming("backbone"):
                check_opened(backbone)
        with self.project.naming("contexts"):
            self._check_contexts(backbone)
        # results carry the labels that the project gives, as the screen does
        backbone.contexts = self.project.contexts or backbone.contexts
        return backbone

    def load_backbone(self) -> SequenceBackbone:
        """Load the sequence model anew, as it is: not tried, with its own contexts."""
        from phenviz.models.checkpoint import load_backbone

        if self.project.backbone is not None:
            with self.project.naming("backbone"):
                return self._load(self.project.backbone)
        if self.project.checkpoint is not None:
            with self.project.naming("checkpoint"):
                return load_backbone(self.project.checkpoint)
        raise ModelError(
            f"world {self.name!r} has no model: set 'checkpoint' in its project.yaml, "
            "or train one with `phenviz train backbone`"
        )

    @property
    def has_global_backbone(self) -> bool:
        """Whether the model sees its whole window at once; False where it can't be loaded."""
        named = self.project.backbone
        if named is None or named.kind in ADAPTED:
            return named is not None
        try:
            return self.backbone.receptive_field is None
        except PhenvizError:
            return False

    @cached_property
    def readout(self) -> GeneReadout | None:
        """The gene readout (embedding bins to expression); None where the world has none.

        Several are one that predicts for the contexts of all (`phenviz.models.joint_readout`).
        """
        from phenviz.models.joint_readout import JointReadout
        from phenviz.models.readout import load_readout

        if not self.project.readouts:
            return None
        backbone = self.backbone
        with self.project.naming("readout"):
            found = [load_readout(path, backbone) for path in self.project.readouts]
            return found[0] if len(found) == 1 else JointReadout(found, backbone.bin_size)

    @cached_property
    def individuals(self) -> Individuals | None:
        """The people whose genotypes the world has; None where it has none.

        Raises
        ------
        DataError
            If a file of genotypes or the panel can't be read.
        """
        from phenviz.variation import open_individuals
        from phenviz.variation.samples import sample_table

        project = self.project
        if not project.individuals:
            return None
        reference = self.reference
        with project.naming("individuals"):
            people = open_individuals(project.individuals, reference)
        with project.naming("panel"):
            samples = people.samples["sample"].tolist()
            people.samples = sample_table(samples, project.panel, project.superpopulation)
        return people

    @cached_property
    def phenformer(self) -> Phenformer | None:
        """The disease model (gene tokens to one logit a trait); None where the world has none.

        Raises
        ------
        ModelError
            If its checkpoint is damaged, or belongs to another backbone, readout or assembly.
        """
        from phenviz.models.phenformer_checkpoint import load_phenformer

        if self.project.disease_model is None:
            return None
        key, path = self.project.disease_model
        backbone, readout = self.backbone, self.readout
        with self.project.naming(key):
            return load_phenformer(path, backbone, readout)

    @cached_property
    def traits(self) -> tuple[str, ...]:
        """Names of what the disease model gives a logit for, known from its card; empty without one."""
        from phenviz.models.phenformer_checkpoint import read_traits

        if self.project.disease_model is None:
            return ()
        key, path = self.project.disease_model
        with self.project.naming(key):
            return read_traits(path)

    @cached_property
    def contexts(self) -> tuple[Context, ...]:
        """What the model predicts for; known without loading the model where the project lists them."""
        return self.project.contexts or self.backbone.contexts

    @cached_property
    def expression_contexts(self) -> tuple[Context, ...]:
        """What expression of genes is predicted for, known from the cards; empty without a gene readout.

        They need not be those of the backbone: a readout learned from RNA, of other cells and of tissues.
        """
        from phenviz.genome.contexts import read_contexts
        from phenviz.models.readout import read_readout_contexts

        with self.project.naming("readout"):
            found = [context for path in self.project.readouts for context in read_readout_contexts(path)]
            return read_contexts(found)

    @cached_property
    def own_tracks(self) -> tuple[OwnTrack, ...]:
        """Tracks of the user's own that the project names; read, and checked, when first asked for.

        Raises
        ------
        DataError
            If a file can't be read, or is of another assembly.
        """
        from phenviz.data.own_tracks import key_of_track, read_own_track

        named, contigs = self.project.tracks, self.reference.contigs if self.project.tracks else {}
        with self.project.naming("tracks"):
            return tuple(
                read_own_track(
                    track.path, contigs, name=key_of_track("project", track.name), label=track.name,
                    colour=track.colour,
                )
                for track in named
            )  # fmt: skip

    @property
    def peaks(self) -> pd.DataFrame | None:
        """Observed accessibility peaks of the contexts; None until a data pack of theirs is there."""
        from phenviz.data.packs import has_pack

        # packs may be fetched while the world is open
        here = tuple(name for name in self.project.peak_packs if has_pack(name))
        if self._peaks[1] is None or self._peaks[0] != here:
            self._peaks = (here, self.project.read_peaks())
        return self._peaks[1]

    def locus(self, text: str) -> Locus:
        """Find what a user typed: a gene, an rsID, a whole contig or coordinates (1-based inclusive).

        Returns
        -------
        Locus
            Checked against the reference. A gene comes with its strand, an rsID with 500 bp on each side.

        Raises
        ------
        LocusError
            If it is none of these, unknown, or can't be worked on.
        """
        return self.reference.check(self._find(text))

    def view(self, text: str) -> Locus:
        """Find a place to look at, as `locus` does, be it sequenced or not.

        Raises
        ------
        LocusError
            If it is unknown or leaves its contig.
        """
        return self.reference.inside(self._find(text))

    def _find(self, text: str) -> Locus:
        typed = text.strip()
        if not typed:
            raise LocusError("nothing to look up: type a gene, chr20:1,000-2,000 or an rsID")
        if is_rsid(typed):
            return self._rsid(typed)
        if ":" in typed or len(typed.split()) == 3:
            # parsing takes off "chr", which tells contigs apart where a FASTA has both 20 and chr20
            contig = re.split(r"[:\s]", typed, maxsplit=1)[0]
            return replace(Locus.parse(typed), contig=contig)
        if is_contig_name(typed) or bare_contig(typed) in map(bare_contig, self.reference.contigs):
            return Locus(typed, 0, self.reference.length(typed))
        try:
            return self.annotation.gene(typed).locus
        except LocusError as error:
            raise LocusError(f"{error}{self._held()}") from error

    def context(self, name: str) -> Context:
        """Return the one context with this name, label or CURIE; the first where several share a CURIE."""
        return self.select_contexts([name])[0]

    def select_contexts(self, names: Iterable[str] | None = None) -> tuple[Context, ...]:
        """Return contexts by name, label, CURIE or group, in the model's order; all for None.

        Raises
        ------
        TargetError
            If one of the names fits no context, or there is none.
        """
        if names is None:
            return self.contexts

        def unknown(name: str) -> str:
            offer = offer_contexts(self.contexts, name)
            alone = " has predicted activity (it is one of gene expression: name a gene, too)"
            why = alone if self._of_expression_alone(name) else ""
            return f"no context {name!r} in world {self.name!r}{why}: it has {offer}"

        return tuple(self.contexts[place] for place in sorted(choose_contexts(self.contexts, names, unknown)))

    def _of_expression_alone(self, name: str) -> bool:
        try:
            return bool(choose_contexts(self.expression_contexts, [name], str))
        except PhenvizError:
            return False

    def _rsid(self, rsid: str) -> Locus:
        from phenviz.variation.rsids import find_rsid

        for path in self.project.individuals:
            found = find_rsid(path, rsid)
            if found is not None:
                contig, position, reference, _ = found
                site = Locus(contig, position, position + len(reference))
                length = self.reference.length(contig)
                wide = site.widened(_HIT_FLANK)
                return Locus(contig, wide.start, min(wide.end, length))
        raise LocusError(
            f"{rsid} is not among the variants of world {self.name!r}: "
            f"give its position instead, written like chr20:1,000,000{self._held()}"
        )

    def _held(self) -> str:
        """Say which contigs there are, where these are few: what isn't found may lie on another."""
        contigs = [shown_contig(name) for name in self.reference.contigs]
        return f"; this world holds {', '.join(contigs)} only" if len(contigs) <= _FEW_CONTIGS else ""

    def _load(self, named: NamedBackbone) -> SequenceBackbone:
        from phenviz.models.adapters import load_published
        from phenviz.models.torch_module import load_torch_module

        if named.kind in ADAPTED:
            return load_published(named)
        path = self.project.path
        return load_torch_module(named, path.absolute().parent if path else None, self.project.contexts)

    def _check_contexts(self, backbone: SequenceBackbone) -> None:
        listed = self.project.contexts
        if listed and [c.name for c in listed] != [c.name for c in backbone.contexts]:
            raise DataError(
                f"project {self.name!r} lists the contexts {_names(listed)}, but its model predicts "
                f"{_names(backbone.contexts)}: list these, or leave 'contexts' out"
            )


def _names(contexts: Iterable[Context]) -> str:
    return ", ".join(context.name for context in contexts)

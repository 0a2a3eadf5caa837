"""What stands behind one hypothesis from people: the genes whose predicted expression goes with the trait."""

from __future__ import annotations

import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewer

from phenviz.app.disease.disease_parts import pair_title
from phenviz.app.disease.disease_run import DiseaseRun
from phenviz.app.disease.disease_state import DiseaseState
from phenviz.app.shell.formatting import escaped
from phenviz.app.shell.links import link_to
from phenviz.app.shell.runtime import Runtime
from phenviz.app.shell.session import Session
from phenviz.app.widgets.data_grid import DataGrid, GridColumn
from phenviz.app.widgets.parts import words
from phenviz.disease.files import gene_table
from phenviz.genome.locus import shown_contig

_COLUMNS = (
    GridColumn("gene", "Gene", searched=True),
    GridColumn("correlation", "Correlation", "{:+.3f}", "effect"),
    GridColumn("z", "z", "{:.2f}", "number"),
    GridColumn("p_value", "p", "{:.2g}", "number"),
    GridColumn("p_permuted", "p, permuted", "{:.2g}", "number"),
    GridColumn("p_family", "p among all genes and contexts", "{:.2g}", "number"),
    GridColumn("importance", "Adds to the logit", "{:.2g}", "number"),
)
# bases around a gene's start that a link opens
_AROUND = 5_000
_HEIGHT = 420


class DiseaseGenes(Viewer):
    """Genes of the trait that is looked at, in the context that the state's evidence names.

    Parameters
    ----------
    session
        Brings clicks into the page's thread.
    state
        Trait, evidence, method and gene are shown; the gene is set.
    runtime
        Genes and models, for links.
    hypotheses
        The tests.
    """

    def __init__(
        self, session: Session, state: DiseaseState, runtime: Runtime, hypotheses: DiseaseRun
    ) -> None:
        super().__init__()
        self._session, self._state, self._runtime, self._hypotheses = session, state, runtime, hypotheses
        self._back = pmui.Button(
            label="All traits", icon="arrow_back", variant="text", size="small", margin=(6, 4, 0, 4),
            sx={"textTransform": "none"},
        )  # fmt: skip
        self._back.on_click(lambda _event: state.param.update(evidence="", gene=""))
        self._title, self._links = words(margin=(4, 8)), words(margin=(4, 8))
        self._asked_for_risk = False
        self.genes = DataGrid(
            _COLUMNS, on_row=lambda key: session.run_soon(lambda: setattr(state, "gene", key)),
            testid="disease-genes", hint="gene, |z|>2, p<0.01", sizing_mode="stretch_width",
            height=_HEIGHT, margin=0,
        )  # fmt: skip
        hypotheses.param.watch(self._draw, ["changed"])
        state.param.watch(self._draw, ["evidence", "trait", "method", "gene"])

    def __panel__(self) -> pn.viewable.Viewable:
        self._draw()
        return pn.Column(
            pn.Row(self._back, self._title, sizing_mode="stretch_width", margin=0),
            self._links, self.genes.view, sizing_mode="stretch_width", margin=0,
        )  # fmt: skip

    def _draw(self, *_events: object) -> None:
        state, dataset = self._state, self._hypotheses.dataset
        if not state.evidence or not state.tested or dataset is None:
            return
        self._title.object = pair_title(dataset, state)
        table = gene_table(dataset)
        if table is None:
            self._links.object = (
                "<span class='quiet'>This file holds no single genes: `phenviz cohort hypotheses` writes "
                "them into .nc and .zarr, and into a second file beside a .parquet.</span>"
            )
            self.genes.view.visible = False
            return
        own = table[(table["trait"] == state.trait) & (table["context"] == state.evidence)]
        self.genes.view.visible = True
        self.genes.show(own.assign(key=own["gene"]), "No gene was tested for this trait here.")
        self.genes.choose(state.gene)
        self._links.object = self._link_words(set(own["gene"]))

    def _link_words(self, genes: set[str]) -> str:
        """Say what the table is, and write links to the gene that is chosen on the other pages."""
        state, contexts = self._state, self._runtime.world.contexts
        told = (
            f"<b>Genes</b> <span class='quiet'>predicted expression in {escaped(state.evidence)} with the "
            "trait, given covariates and ancestry; the smallest p first</span>"
        )
        if state.gene not in genes:
            return f"{told} <span class='quiet'>· press a gene to open it elsewhere</span>"
        found, links = self._runtime.world.annotation.find_gene(state.gene), []
        if found is not None:
            contig, at = found.locus.contig, found.tss + 1
            end = min(at + _AROUND, self._runtime.world.reference.length(contig))
            more = {"locus": f"{shown_contig(contig)}:{max(at - _AROUND, 1)}-{end}"}
            if state.evidence in {context.name for context in contexts}:
                more["focus"] = state.evidence
            if state.evidence in {context.name for context in self._runtime.world.expression_contexts}:
                more |= {"target": "gene", "gene": state.gene, "tissue": state.evidence}
            explore = link_to("explore", state, contexts, **more)
            links.append(f"<a data-testid='to-explore' href='{escaped(explore)}'>{{}} in Explore</a>")
        if self._has_risk(state.trait):
            more = {"trait": state.trait, "gene": state.gene, "context": state.evidence}
            risk = link_to("risk", state, contexts, **more)
            links.append(f"<a data-testid='to-risk' href='{escaped(risk)}'>{{}} in Risk</a>")
        where = " · ".join(links).replace("{}", escaped(state.gene))
        nowhere = f"{escaped(state.gene)} isn't among the genes of this world"
        return f"{told} · {where or nowhere}"

    def _has_risk(self, trait: str) -> bool:
        """Tell whether Risk has scores of a trait; False until the model is read, which is begun then."""
        if self._runtime.world.project.risk is None:
            return False
        read = self._runtime.risk_model()
        if not read.done():
            if not self._asked_for_risk:
                self._asked_for_risk = True
                read.add_done_callback(lambda _read: self._session.run_soon(self._draw))
            return False
        model = None if read.exception() is not None else read.result()
        return model is not None and trait in model.traits

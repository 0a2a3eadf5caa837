# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Explore a locus
#
# Which bases of an enhancer matter, and in which cell types? This tutorial asks a sequence model about one place
# in the human genome, from the wide view down to single letters, and ends with files to take along.
#
# The place: **chr20:1,600,925** in front of *SIRPB1*. A change of this base (G to A) was fine-mapped for mean
# platelet volume in UK Biobank with a posterior probability of 0.98, and it lies in open chromatin of blood
# progenitors and monocytes. So there is a story to be checked: does the model see the open chromatin, in these
# cells, and does it say that this very base matters?
#
# Everything runs on the world that comes with PhenViz: real human chromosome 20 (GRCh37), its genes and
# regulatory elements, and a model of 24 *contexts*: the chromatin accessibility of sixteen blood populations, four cell
# types of the brain, the gut and embryonic stem cells, and two reporter assays. The model has read DNA only. What it
# says are predictions, not for clinical use.

# %%
from pathlib import Path

import pandas as pd

import phenviz
from phenviz import figures, results
from phenviz.attribution import find_motifs
from phenviz.genome.contexts import without_reporters

world = phenviz.open_world()
service = phenviz.ModelService(world)

folder = Path("explored")
folder.mkdir(exist_ok=True)
pd.DataFrame(
    [(context.name, context.label, context.group, context.curie, context.units) for context in world.contexts],
    columns=["context", "cell type", "group", "ontology", "unit"],
).set_index("context")

# %% [markdown]
# `world` holds the parts (sequence, genes, model), `service` runs the model and remembers results: asking twice
# costs nothing. A place can be a gene name, an rsID or coordinates, as on any genome browser (1-based on screen).
#
# Mind the units. The last two contexts say what a sequence does in a reporter assay, not how open it is, so their numbers
# can't be compared with the others'. The brain, the gut and the stem cells were learned from where peaks are, not from
# how high: each peak counted as one of usual height.

# %%
variant = world.locus("chr20:1,600,925")
gene = world.annotation.gene("SIRPB1")
print(f"{gene.name} lies at {gene.locus}, strand {gene.locus.strand}")
print(f"the base at {variant} is {world.reference.sequence(variant)}")

# %% [markdown]
# ## 1. The wide view: where does the model expect open chromatin?
#
# `predict` gives the activity of every 128 bp bin in each context: in cells, the fold enrichment of reads in open
# chromatin that the model expects from the sequence alone. Below, 60 kb around the variant (the dashed line). Each row
# is a context, grouped by lineage; dark means open.

# %%
wide = world.locus("chr20:1,570,001-1,630,000")
prediction = service.predict(wide)
marks = figures.VariantMarks([variant.start], ["G>A"])
figures.explore_figure(
    wide,
    annotation=world.annotation,
    prediction=prediction,
    observed=world.peaks,
    overlays=[marks],
)

# %% [markdown]
# Where the data packs of peaks are at hand (`phenviz data fetch blood16-atac nott2019-brain fetal-intestine-dnase`), a
# track of measured peaks stands above the prediction. (None of these packs measured the stem cells `ESC`, and reporters
# have no peaks: there, an empty row means nothing.) This region was part of the training data, so an agreement here shows
# what the model learned, not what it can foresee; the model card has the figures for regions that it never saw.
#
# How open is the element at the variant, in which cells? The highest of the bins within 300 bp, reporters left out:

# %%
cells = [context.name for context in without_reporters(world.contexts)]
centre = prediction["bin_start"] + 64
element = prediction["activity"].sel(context=cells).where(abs(centre - variant.start) <= 300).max("bin")
activity = element.to_series().sort_values(ascending=False)
pd.DataFrame({"predicted fold enrichment": activity.map("{:.1f}".format)}).T.iloc[:, :12]

# %% [markdown]
# ## 2. Letter by letter: in-silico mutagenesis
#
# Change every base of the element to each of the other three, predict again, and write down the change. The number
# is the log2 fold change of the summed activity in the four bins around the base. −1 means that the change
# halves the accessibility. These are exact predictions of every mutant, not an approximation.

# %%
near = world.locus("chr20:1,600,701-1,600,950")
effects = service.mutagenesis(near)
strongest = activity.index[0]
figures.explore_figure(
    near,
    annotation=world.annotation,
    mutagenesis=effects,
    contexts=[strongest],
    overlays=[marks],
)

# %% [markdown]
# Tall letters are bases that the prediction rests on: changing them lowers the activity. The heat map below shows
# each of the three changes on its own (the reference base stays white).
#
# Are there known transcription factor motifs under the tall letters? `find_motifs` looks for stretches whose
# contribution stands out (*seqlets*) and compares their bases with the motifs of JASPAR.

# %%
motifs = find_motifs(effects, world.project.motifs, contexts=[strongest])
supporting = motifs[(motifs["score"] > 0) & (motifs["p_value"] < 1e-3)]
table = supporting.sort_values("score", ascending=False).head(6)
table.assign(start=table["start"] + 1).set_index("motif")[["start", "end", "strand", "p_value", "q_value", "score"]]

# %% [markdown]
# Read such names with care. With some 900 motifs to compare with, something always fits: `p_value` is for one motif by
# itself, `q_value` corrects for all of them, and a name with a large one is a guess, as that of RUNX1 here. The other is
# on the edge: the tallest letters spell TTGTGAAAC, which resembles the site of the C/EBP factors (TTGCGCAAT). Members of a
# family bind almost the same letters, too, so even a sure name stands for its family. What holds up when the strongest
# peaks of a cell type are taken together stands in the model card.
#
# ## 3. And the fine-mapped variant?

# %%
position = variant.end  # positions of results count from 1, as in VCF
of_cells = effects["effect"].sel(context=cells)
change = of_cells.sel(position=position, allele="A").to_series().sort_values()
size = abs(of_cells).max("allele").mean("context").to_series()
rank = int((size > size[position]).sum()) + 1
print(f"G>A: {change.min():+.2f} ({change.idxmin()}) to {change.max():+.2f} ({change.idxmax()}) log2 fold change")
print(f"among the {len(size)} bases of this window its largest change ranks {rank}")

# %% [markdown]
# So the model agrees with one half of the story: it expects this element to be open in progenitors and myeloid
# cells, a little in B cells, and hardly in erythroid cells, T and NK cells, nearly as measured (CD4 T cells have a weak
# peak). The tissues fit, too: of the brain's cells only microglia have a peak, measured and predicted, and they are its
# myeloid cells. Gut and stem cells are predicted to be closed.
#
# It doesn't single out this base: half of the window's bases matter more to it, the tallest letters lie 180 bp away,
# and the change that it predicts is small (at most an eighth of the accessibility, in any cell type). That is no proof
# against the variant. The model may have seen too few such sites, the change may act in a cell
# state that isn't among its contexts, or through something other than accessibility. It does mean that the
# prediction adds nothing to the fine-mapping here, and a figure that shows the variant next to tall letters would
# mislead.
#
# ## 4. What drives a gene? Integrated gradients
#
# Mutagenesis asks base by base. For longer windows *integrated gradients* are faster: they share the whole
# prediction out among the bases. If all went well the shares add up to the prediction less that of a blank
# sequence; what is missing is the *convergence delta*, and an attribution without it can't be trusted.

# %%
target = phenviz.Target(context=strongest)
attribution = service.attribute(near, target, n_steps=32)
total = float(attribution["attribution"].sum())
delta = attribution.attrs["convergence_delta"]
print(f"target: {attribution.attrs['target']}, baseline: {attribution.attrs['baseline']}")
print(f"sum of the shares {total:.2f}, convergence delta {delta:+.4f} ({abs(delta / total):.2%} of it)")
figures.explore_figure(near, annotation=world.annotation, attribution=attribution, overlays=[marks])

# %% [markdown]
# The two methods answer different questions (what would one change do, how is the whole shared out), so they agree
# on the important stretches rather than on every base.
#
# ## 5. From accessibility to a gene
#
# The model's bins say what is open, not what is transcribed. A *gene readout* goes one step further: it pools the
# bins around a gene's start and predicts expression. This world has two, learned from different RNA: one of blood
# populations, ln(1 + counts per million), and one of tissues of the Human Protein Atlas, in the atlas's own unit.

# %%
expression = service.gene_expression(gene.name)
values = expression["expression"].sel(gene=gene.name).to_series()
units, organ = (expression[name].to_series() for name in ("units", "group"))
of_blood = values[units == "ln(1 + CPM)"].sort_values(ascending=False)
of_blood.round(1).to_frame("predicted ln(1 + CPM)").T

# %% [markdown]
# Tissues keep their anatomical order; of each organ system the tissue with the most:

# %%
of_tissues = values[units != "ln(1 + CPM)"]
best = of_tissues.groupby(organ[of_tissues.index], sort=False)
pd.DataFrame({"tissue": best.idxmax().str.replace("_", " "), "predicted": best.max().round(1)}).T

# %% [markdown]
# Monocytes on top, granulocyte-monocyte progenitors next, and erythroid cells and lymphoid progenitors at the end: RNA was
# measured in nearly the same order (data pack `blood16-rna`). But this gene was among those that the readout learned from.
# On genes that it never saw it tells expressed from silent ones moderately well (correlation 0.64 across genes) and says
# little about which cells express a gene more (0.23 across cell types). The model card has the table, and that of tissues;
# in neither are the readouts told apart from a simple baseline, a regression on the accessibility around the start.
#
# ## 6. Take it along
#
# The suffix says how a result is saved: NetCDF and Zarr keep everything, Parquet is a table, BED and bigWig
# go into any genome browser. Figures are drawn for print, with text that stays text.

# %%
results.save(effects, folder / "SIRPB1_mutagenesis.parquet")
results.save(prediction, folder / "SIRPB1_prediction.nc")
figure = figures.explore_figure(
    near, annotation=world.annotation, attribution=attribution, mutagenesis=effects, contexts=[strongest]
)
figure.save(folder / "SIRPB1.svg")
again = results.load(folder / "SIRPB1_prediction.nc")
print(*sorted(path.name for path in folder.iterdir()), sep="\n")
print(f"read again: {dict(again['activity'].sizes)} from {again.attrs['model'].split('@')[0]}")

# %% [markdown]
# The same from the command line:
#
# ```
# phenviz predict     chr20:1,570,001-1,630,000 -o SIRPB1_prediction.nc
# phenviz mutagenesis chr20:1,600,701-1,600,950 -o SIRPB1_mutagenesis.parquet
# phenviz attribute   chr20:1,600,701-1,600,950 --context HSC -o SIRPB1_attribution.bw
# ```
#
# A suffix `.svg`, `.pdf` or `.png` draws a figure instead, and `phenviz serve` opens the dashboard, where all of this is a click away.
#
# ## What this shows, and what not
#
# - The model knows 128 bp bins and sees about a kilobase around each. It can't tell which gene an enhancer acts on;
#   the gene readout (model card) tries, and its figures on genes never seen are modest.
# - A prediction of accessibility is not one of expression, and a predicted change is not a measured one. Models of this
#   kind often get the sign of personal variants wrong.
# - Fine-mapping says which base is likely causal for a trait, not how. Agreement between the two is a hypothesis
#   for the bench; disagreement, as the rank above shows, is a finding, too.

# %%
service.close()

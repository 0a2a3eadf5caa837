# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A megabase, base by base
#
# Enhancers lie far from the genes that they act on, often further than the windows that attribution methods are
# commonly run on. This tutorial explains a **million bases** at once: how it can be both exact and quick, how to
# check that it is, and what one finds. It ends with an enhancer in a stretch of chromosome 20 that the model never
# saw, and with the measured peaks that say whether it is there.
#
# Everything runs on the world that comes with PhenViz. What the model says are predictions, not for clinical use.

# %%
import copy
import itertools
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from scipy.stats import binom

import phenviz
from phenviz import figures
from phenviz.attribution import find_motifs, integrated_gradients, mutagenesis
from phenviz.models.backbone import halo
from phenviz.models.windows import one_hot_window

world = phenviz.open_world()
reference, backbone = world.reference, world.backbone
contig = next(iter(reference.contigs))
print(f"a bin is {backbone.bin_size} bp and sees {backbone.receptive_field:,} bp")

# %% [markdown]
# ## 1. The idea
#
# The backbone is **local**: a bin of 128 bp sees about a kilobase around itself and nothing else. Three things follow.
#
# *Tiles.* The activity of a window is a sum over its bins, and the gradient of a sum is the sum of the gradients. So a
# megabase is cut into tiles of bins, each is read with all bases that its bins see (its **halo**), and where
# halos overlap their attributions are added. No approximation is made at the seams, and memory holds one tile.
#
# *Mutants that are never built.* Changing one base moves 19 cells of the first layer by a difference of two columns
# of its weights, then a few cells of each later layer, then four bins. Exact mutagenesis computes just these changes
# on top of cached activations of the reference.
#
# *A path that stays straight.* Integrated gradients follow the straight line from a baseline to the sequence.
# From a baseline without any base, the first layer (a convolution, a maximum over positions and strands) grows in
# proportion along that line, so that it runs once, and not once per step. In numbers:

# %%
stem = backbone.stages[0]
bases = one_hot_window(reference, contig, 39_000_000, 39_016_384, backbone)


def scores(one_hot):
    """First layer without its bias, pooled: what the motifs score in each cell."""
    with torch.inference_mode():
        found = stem.convolve(one_hot) - stem.convolve(torch.zeros_like(one_hot))
        found = torch.nn.functional.max_pool1d(found, stem.pool)
        forward, reverse = found[:, : stem.channels], found[:, stem.channels :]
        return torch.maximum(forward, reverse)


whole = scores(bases)
for share in (0.25, 0.5, 0.75):
    difference = (scores(share * bases) - share * whole).abs().max()
    print(
        f"{share:.0%} of the way: scores differ from {share:.0%} of the last ones by at most {difference:.1e}"
    )

# %% [markdown]
# ## 2. Is it the same?
#
# Sections 1 to 3 call the model themselves, so that both ways work on the same network and nothing is remembered
# between them. From section 4 on the service is asked.
#
# ### Integrated gradients, against Captum as it is
#
# The plain way: one graph over the whole window and its flanks, one call of Captum. In double precision there is no
# rounding to hide behind.

# %%
from captum.attr import IntegratedGradients

small = world.locus("chr20:39,120,001-39,128,192")
target = phenviz.Target(context="Mono")
channel = [context.name for context in backbone.contexts].index("Mono")


def captum_as_it_is(model, locus, n_steps):
    """Integrated gradients of the summed activity of a window of whole bins, in one graph."""
    flank = halo(model)
    window = one_hot_window(reference, contig, locus.start - flank, locus.end + flank, model)
    inner = slice(flank // model.bin_size, -flank // model.bin_size)
    method = IntegratedGradients(lambda x: model(x)[:, channel, inner].sum(-1))
    found = method.attribute(window, torch.zeros_like(window), n_steps=n_steps, internal_batch_size=1)
    return found.sum(1)[0, flank:-flank].numpy()


def relative_error(ours, theirs):
    """Relative L2 distance."""
    return np.linalg.norm(ours.astype(float) - theirs) / np.linalg.norm(theirs.astype(float))


for name, model in {"single": backbone, "double": copy.deepcopy(backbone).double()}.items():
    ours = integrated_gradients(small, reference, model, target=target, n_steps=16)["attribution"].values
    theirs = captum_as_it_is(model, small, 16)
    print(f"{name} precision: relative error {relative_error(ours, theirs):.1e}")

# %% [markdown]
# ### Mutagenesis, against a plain loop
#
# The plain way: write each mutant, predict it, compare. The number is the log2 fold change of the activity summed
# over the four bins `b-2` to `b+1` around the base, `b = position // 128`.

# %%
mutated = world.locus("chr20:39,126,901-39,127,156")


def loop(locus):
    """Predict every mutant of a locus by itself; effect (position, allele) in one context."""
    size, flank = backbone.bin_size, halo(backbone)
    effect = np.zeros((locus.length, 4))
    for row, position in enumerate(range(locus.start, locus.end)):
        first = (position // size - 2) * size
        start, end = first - flank, first + 4 * size + flank
        window = one_hot_window(reference, contig, start, end, backbone)
        mutants = window.repeat(5, 1, 1)
        mutants[1:, :, position - start] = torch.eye(4)
        inner = slice(flank // size, -flank // size)
        with torch.inference_mode():
            sums = torch.log2(1 + backbone(mutants)[:, channel, inner].sum(-1))
        effect[row] = (sums[1:] - sums[0]).numpy()
    return effect


began = time.perf_counter()
slow = loop(mutated)
slow_rate = slow.size / (time.perf_counter() - began)
mutagenesis(mutated, reference, backbone)  # the first call loads what later calls share
began = time.perf_counter()
fast = mutagenesis(mutated, reference, backbone, contexts=["Mono"])["effect"].isel(context=0).values
fast_rate = fast.size / (time.perf_counter() - began)
print(f"largest effect {np.abs(slow).max():.3f}, largest difference {np.abs(fast - slow).max():.1e}")
print(f"relative error {relative_error(fast, slow):.1e}")
print("faster than the loop, even on so few bases:", fast_rate > slow_rate)

# %% [markdown]
# How much faster is measured properly in the benchmarks (`make bench`), which also compare with tangermeme, with
# Captum over a whole megabase, and the memory that each needs.
#
# ## 3. How it grows
#
# Twice the bases, twice the time: on logarithmic axes a slope of one. These are single timings on whatever machine
# built this page, so take the slope, not the seconds. Integrated gradients take 2 steps here.


# %%
def seconds(run, lengths):
    """Time a computation over windows of several lengths."""
    taken = []
    for length in lengths:
        locus = phenviz.Locus(contig, 39_000_000, 39_000_000 + length)
        began = time.perf_counter()
        run(locus)
        taken.append(time.perf_counter() - began)
    return taken


def slope(lengths, taken):
    """Exponent of the growth."""
    return np.polyfit(np.log(lengths), np.log(taken), 1)[0]


gradient_lengths = [32_768, 131_072, 327_680, 1_000_000]
mutant_lengths = [16_384, 32_768, 98_304]
curves = {
    "integrated gradients": (
        gradient_lengths,
        seconds(
            lambda locus: integrated_gradients(locus, reference, backbone, target=target, n_steps=2),
            gradient_lengths,
        ),
    ),
    "exact mutagenesis": (
        mutant_lengths,
        seconds(lambda locus: mutagenesis(locus, reference, backbone, contexts=["Mono"]), mutant_lengths),
    ),
}
figure, axis = plt.subplots(figsize=(4.5, 3), layout="constrained")
for (name, (lengths, taken)), marker in zip(curves.items(), "os", strict=True):
    axis.loglog(lengths, taken, marker=marker, label=f"{name}: slope {slope(lengths, taken):.2f}")
axis.set(xlabel="bases", ylabel="seconds")
axis.legend(frameon=False, fontsize=8)
axis.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# ## 4. A gene in the desert
#
# Which enhancer belongs to which gene? Where genes crowd, nobody can tell from position alone. So we go where there
# is least to confuse: **of all protein-coding genes in 36-48 Mb, the one whose start lies furthest from the start of any
# other.** The region is the model's test region: no window that it learned from lies there. The rule reads the
# annotation only, neither the model nor any measurement.

# %%
TEST_REGION = (36_000_000, 48_000_000)
genes = world.annotation.genes
starts = np.unique(genes["tss"])
tested = genes[genes["tss"].between(*TEST_REGION, inclusive="left")]
distance = [np.abs(starts[starts != tss] - tss).min() for tss in tested["tss"]]
lonely = tested.assign(to_next_start=distance).sort_values("to_next_start", ascending=False)
lonely[["gene_name", "strand", "tss", "to_next_start"]].head(5).set_index("gene_name")

# %%
gene = world.annotation.gene(lonely["gene_name"].iloc[0])
megabase = phenviz.Locus(contig, gene.tss - 500_000, gene.tss + 500_000)
print(f"{gene.name} starts at {gene.tss + 1:,}; no other gene starts within {max(distance):,} bp; {megabase}")

# %% [markdown]
# *MAFB* is a transcription factor that makes monocytes and macrophages what they are. So the question is: **which
# bases of this megabase open its chromatin in monocytes?** A run as long as this belongs to the service: it
# says beforehand what it will cost, works chunk by chunk, keeps each finished chunk on disk, and so can be cancelled and
# gone on with, today or after a restart. (In the dashboard, this is the run panel of *Explore*.)

# %%
folder = Path("megabase")
service = phenviz.ModelService(world, store=folder / "results", costs=folder / "times.json")
request = {"locus": megabase, "target": target, "n_steps": 8}
estimate = service.estimate("attribute", **request)
print(f"needs about {estimate.bytes / 1e9:.1f} GB of memory; finished so far: {estimate.stored:.0%}")

job = service.submit("attribute", **request)
while len(job.partials) < 4 and not job.over:
    time.sleep(0.05)
job.cancel()
job.wait()
part = job.partial_result()
print(f"{job.state}; what there is: {part.sizes['position']:,} bases of {megabase.length:,}")
print(f"kept: {service.estimate('attribute', **request).stored:.0%}")

attribution = service.submit("attribute", **request).result()
change = attribution.attrs["target_value"] - attribution.attrs["baseline_value"]
delta = attribution.attrs["convergence_delta"]
print(
    f"all {attribution.sizes['position']:,} bases; convergence delta {abs(delta / change):.2%} of the change"
)

# %% [markdown]
# ### Elements, strongest first
#
# An element is a stretch of 512 bp whose bases together add the most to the activity; the next may not overlap it. We keep
# **distal** ones: at least 10 kb from the start of every gene.

# %%
WIDTH, DISTAL, COUNT = 512, 10_000, 10


def distal_elements(attribution, count):
    """Stretches far from gene starts with the largest sums of attribution, none overlapping another."""
    values = attribution["attribution"].values.astype(float)
    first = attribution.attrs["start"]
    sums = np.convolve(values, np.ones(WIDTH), "valid")
    centres = first + np.arange(len(sums)) + WIDTH // 2
    order = np.searchsorted(starts, centres)
    after, before = starts[np.minimum(order, len(starts) - 1)], starts[np.maximum(order - 1, 0)]
    nearest = np.minimum(abs(after - centres), abs(before - centres))
    is_distal = nearest >= DISTAL
    sums = np.where(is_distal, sums, -np.inf)
    rows = []
    for _ in range(count):
        place = int(sums.argmax())
        rows.append(
            (first + place, first + place + WIDTH, values[place : place + WIDTH].sum(), nearest[place])
        )
        sums[max(place - WIDTH + 1, 0) : place + WIDTH] = -np.inf
    return pd.DataFrame(rows, columns=["start", "end", "attribution", "to_next_start"]), is_distal, centres


elements, is_distal, centres = distal_elements(attribution, COUNT)
elements["from_gene"] = elements["start"] + WIDTH // 2 - gene.tss
elements.round(1)

# %% [markdown]
# ### What was measured
#
# The peaks of sorted human blood cells are a data pack of their own (`phenviz data fetch blood16-atac`), those of brain and
# gut are others (`nott2019-brain`, `fetal-intestine-dnase`). The model learned from those of the rest of the chromosome, and
# never saw these.

# %%
peaks = world.peaks
if peaks is not None and "Mono" not in set(peaks["context"]):
    peaks = None
if peaks is None:
    print(
        "The data pack blood16-atac isn't here, so nothing below is checked: phenviz data fetch blood16-atac"
    )
else:
    near = peaks[(peaks["start"] < megabase.end) & (peaks["end"] > megabase.start)]
    mono = near[near["context"] == "Mono"]

    def peak_at(start, end):
        """Fold enrichment of the highest peak of monocytes that overlaps a stretch; 0 for none."""
        here = mono[(mono["start"] < end) & (mono["end"] > start)]
        return float(here["fold_enrichment"].max()) if len(here) else 0.0

    places = zip(elements["start"], elements["end"], strict=True)
    elements["measured"] = [peak_at(start, end) for start, end in places]
    chance = np.zeros(len(centres), dtype=bool)
    for start, end in zip(mono["start"], mono["end"], strict=True):
        left, right = np.searchsorted(centres, [start - WIDTH // 2 + 1, end + WIDTH // 2])
        chance[left:right] = True
    expected = chance[is_distal].mean()
    hits = int((elements["measured"] > 0).sum())
    p_value = binom.sf(hits - 1, COUNT, expected)
    print(f"{hits} of the {COUNT} strongest distal elements overlap a measured peak of monocytes;")
    print(f"of all distal stretches as long, {expected:.1%} do (binomial p = {p_value:.1g})")
elements.assign(start=elements["start"] + 1).round(1)

# %% [markdown]
# Seven of the ten are there, the strongest four with more than sixtyfold enrichment, the others with weak peaks; three are
# closed, as far as this measurement can tell. The model has read nothing but the bases.
#
# The strongest element that isn't nearer to another gene than to ours is the candidate.

# %%
closest = starts[np.abs(starts[None, :] - (elements["start"].values[:, None] + WIDTH // 2)).argmin(axis=1)]
candidate = elements[closest == gene.tss].iloc[0]
element = phenviz.Locus(contig, int(candidate["start"]), int(candidate["end"]))
print(f"candidate: {element}, {abs(candidate['from_gene']) / 1e3:.0f} kb from the start of {gene.name}")
if peaks is not None:
    here = near[(near["start"] < element.end) & (near["end"] > element.start)]
    height = here.groupby("context")["fold_enrichment"].max()
    print(
        "measured peaks here:",
        ", ".join(f"{name} {value:.0f}" for name, value in height.sort_values(ascending=False).items()),
    )

# %% [markdown]
# It is open in monocytes, dendritic cells and their progenitors, and closed in erythroid cells and lymphocytes. In the brain
# it is open in microglia, which are macrophages, and in no other cell type: a myeloid element. (The peaks of brain
# and gut come without a height, and each counts as 7.)
#
# Below, the whole megabase; the gene and the candidate are tinted. A single base says little at this scale, so the track
# shows what the 512 bp around each base add together.

# %%
summed = np.convolve(attribution["attribution"].values, np.ones(WIDTH), "same")
tracks = [
    figures.Highlights([(element.start, element.end), (gene.locus.start, gene.locus.end)]),
    figures.Ideogram(world.annotation.bands(contig)),
    figures.Ruler(contig, world.assembly),
    figures.Genes(world.annotation.genes_in(megabase), focus=gene.name),
    figures.BaseTrack(
        attribution["position"].values - 1,
        summed,
        units="fold enrichment",
        label="Attribution\nMono, 512 bp",
        height_mm=24,
    ),
]
if peaks is not None:
    tracks.insert(4, figures.ObservedPeaks(mono, ["Mono"]))
figures.LocusFigure(megabase, tracks, title=f"{megabase} (1 Mb)")

# %% [markdown]
# ## 5. Letter by letter
#
# Which bases carry the element? Integrated gradients shared the whole out among the bases; exact mutagenesis asks what
# each change would do.

# %%
wide = element.widened(64)
effects = service.mutagenesis(wide, contexts=["Mono"])
motifs = find_motifs(effects, world.project.motifs, contexts=["Mono"])
supporting = motifs[(motifs["score"] > 0) & (motifs["p_value"] < 1e-3)]
table = supporting.sort_values("score", ascending=False).head(6)
strongest = abs(effects["effect"]).max(["allele", "context"])
centre = int(strongest.rolling(position=120, center=True, min_periods=1).mean().idxmax()) - 1
close = phenviz.Locus(contig, max(centre - 80, wide.start), min(centre + 80, wide.end))
figures.explore_figure(
    close, annotation=world.annotation, attribution=attribution, mutagenesis=effects, contexts=["Mono"]
)

# %%
table.assign(start=table["start"] + 1).set_index("motif")[
    ["start", "end", "strand", "p_value", "q_value", "score"]
]

# %% [markdown]
# The letters spell a site of C/EBP and sites of PU.1 (*SPI1*; *SPIB* binds the same letters): the factors that make
# monocytes. A name with a large q-value is a guess, as that of JUN here.
#
# ## 6. Does the model say that it acts on the gene?
#
# The gene readout predicts expression from the bins around a gene's start. Its attribution says which bases of
# its reach speak for the gene. Eight steps were enough for the activity above, and aren't for expression: the shares would
# miss 2 % of the change. `n_steps="auto"` doubles the steps until the delta is below 1 %.

# %%
readout = world.readout
around = phenviz.Locus(contig, gene.tss - readout.reach, gene.tss + readout.reach)
of_gene = service.attribute(around, phenviz.Target(gene=gene.name, context="Mono"), n_steps="auto")
delta = of_gene.attrs["convergence_delta"]
change = of_gene.attrs["target_value"] - of_gene.attrs["baseline_value"]
print(
    f"{of_gene.attrs['n_steps']} steps; convergence delta {abs(delta / change):.2%} of the change; "
    f"converged: {bool(of_gene.attrs['converged'])}"
)
away = np.abs(of_gene["position"].values - 1 - gene.tss)
borders = [edge for edge in (0, 1_000, 3_000, 10_000, 30_000) if edge < readout.reach] + [readout.reach + 1]
labels = [f"{left / 1e3:.0f}-{right / 1e3:.0f} kb" for left, right in itertools.pairwise(borders)]
steps = pd.cut(away, borders, right=False, labels=labels)
share = pd.Series(np.abs(of_gene["attribution"].values)).groupby(steps, observed=True).sum()
print(
    f"reach of the readout: {readout.reach:,} bp on each side; the candidate is {abs(candidate['from_gene']):,.0f} away"
)
(share / share.sum()).rename("share of the absolute attribution").to_frame().round(3).T

# %% [markdown]
# ## What this shows, and what not
#
# - From sequence alone, the model finds distal elements of a region that it never saw, and most of its strongest ones are
#   where monocytes are measured to be open. That is a statement about *chromatin*; three of the ten aren't confirmed.
# - It does not show that the element acts on *MAFB*. The candidate lies beyond the reach of the gene readout, so
#   this model cannot say so; that no other gene starts nearer is why we looked here, and it is a hint, not a proof. A
#   backbone with a wider view (Enformer, Borzoi: see the manual) or an experiment (CRISPR interference) could tell.
# - Integrated gradients depend on their baseline. Here it is a sequence without any base, which no genome holds.
#   `baseline="dinucleotide", n_baselines=10` asks for ten shuffled sequences instead, and reports the spread.
# - One gene and one cell type, chosen by a rule, is an example. How good the model is over the whole test region
#   stands in the model card.

# %%
service.close()

# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A person's genome
#
# Everybody carries millions of variants, and nearly all of them do nothing that anyone could see. Which of *this*
# person's variants change a regulatory element, on which of the two chromosomes, and in which cell types? This
# tutorial follows one person from a phased VCF down to single letters, compares what it finds with
# measurements, and ends with files and with a list of what such numbers can't tell.
#
# The person is **HG00190**, one of the 300 Europeans of the 1000 Genomes Project that come with PhenViz
# (chr20:1-4 Mb, GRCh37). The genome is real and public. The effects are predictions of a model that has read DNA
# only, and nothing here is for clinical use.

# %%
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

import phenviz
from phenviz import figures, results
from phenviz.effects.annotate import annotate_vcf
from phenviz.effects.motif_change import changed_motifs
from phenviz.genome.contexts import without_reporters
from phenviz.variation.fasta import write_fasta

world = phenviz.open_world()
service = phenviz.ModelService(world)
folder = Path("person")
folder.mkdir(exist_ok=True)

person = world.individuals.individual("HG00190")
whole = world.locus("chr20:1,000,001-4,000,000")
variants = person.variants(whole)
print(f"{len(world.individuals)} individuals; {person.sample} carries {len(variants):,} variants in {whole}")
print(f"on both chromosomes: {((variants.haplotype_1 == 1) & (variants.haplotype_2 == 1)).sum():,}")
variants[["position", "ref", "alt", "id", "haplotype_1", "haplotype_2"]].head(4)

# %% [markdown]
# `haplotype_1` and `haplotype_2` are the two copies of the chromosome. The file is *phased*: it knows which variants
# lie on the same copy. (Of a file that doesn't, PhenViz asks what to do rather than guess.)
#
# ## 1. Which variants matter, and where?
#
# `variant_effects` scores each variant in 22 cell types and tissues, sixteen of them blood populations: the log2 fold
# change of the predicted accessibility in the four bins around it. −1 means that the variant halves it. (The model's two
# reporter assays measure something else and are left out.) Insertions and deletions are scored, too. `quantile` says where
# the effect stands among common variants: −0.99 is lower than 99.5 % of them.

# %%
cells = [context.name for context in without_reporters(world.contexts)]
scores = service.variant_effects(variants, contexts=cells)
effect = scores["effect"].values
strongest = np.nanargmax(abs(effect), axis=1)
context = scores["context"].values[strongest]
row = np.arange(len(variants))
table = variants[["position", "ref", "alt", "id", "haplotype_1", "haplotype_2"]].assign(
    context=context, effect=effect[row, strongest], quantile=scores["quantile"].values[row, strongest]
)
size = table["effect"].abs()
print(
    f"median size of the largest effect: {size.median():.3f}; above 0.5: {(size > 0.5).sum()} of {len(table):,}"
)
figures.variants_heatmap(scores, most=20)

# %% [markdown]
# The typical variant does nothing, and a handful stands out. Some rows are coloured in nearly all blood cells, others in one
# lineage only. Brain (without microglia, its myeloid cells), gut and stem cells stay pale: the strongest effects are those
# in blood, which most of the model's contexts are of. Dots are effects that at most one in two hundred common variants
# exceeds on its side. But a fold change isn't all: where next to nothing is open, halving it means little. So we ask
# for variants in elements that are open in that cell type. `active` is the predicted accessibility of the stronger
# allele, summed over the four bins.

# %%
table["active"] = scores["active"].values[row, strongest]
open_there = table[table["active"] > 10].sort_values("effect", key=abs, ascending=False)
open_there.head(8).drop(columns=["haplotype_1", "haplotype_2"]).round(2).set_index("id")

# %% [markdown]
# We follow **rs151521** (chr20:3,520,570 G>A), in an intron of *ATRN*. It was chosen because a model says much
# about it, out of thousands, and the person was chosen because of it: this is an example of how to look, not
# evidence that the model is right. (The model of that choice knew blood only and put it first; the one that comes with
# PhenViz now puts rs573416 before it. Both learned from the same peaks, so that one doesn't confirm the other.)
#
# ## 2. Both chromosomes against the reference
#
# `predict` with `individual=` puts all variants of each chromosome copy into the sequence and predicts both. Bins
# line up with the reference, also behind insertions and deletions.

# %%
near = world.locus("chr20:3,516,001-3,526,000")
tracks = service.predict(near, contexts=cells, individual=person.sample)
lead = table[table["position"] == 3_520_570].iloc[0]
mark = figures.VariantMarks([lead.position - 1], [f"{lead.id} {lead.ref}>{lead.alt}"])
figures.personal_figure(tracks, annotation=world.annotation, variants=table, overlays=[mark])

# %% [markdown]
# Dots are variants on either copy (red raises, blue lowers the accessibility). Below, where each copy differs
# from the reference: white is no difference. At the bottom the activity itself, the reference in grey.
#
# Copy 1 has lost most of one peak, copy 2 hasn't. That could be measured: if the model is right, the ATAC-seq reads
# over the variant should come mostly from one of this person's two alleles (*allelic imbalance*).

# %% [markdown]
# ## 3. In which cell types?

# %%
number = int(np.flatnonzero(scores["position"].values == lead.position)[0])
figures.variant_forest(scores, number)

# %%
of_lead = scores.isel(variant=number)
by_group = of_lead["effect"].to_series().groupby(of_lead["group"].values, sort=False).agg(["min", "max"])
by_group.round(2)

# %% [markdown]
# Strong in myeloid cells and the progenitors they come from, weaker in B cells, next to nothing in T and NK cells, in
# erythroid cells and in megakaryocytes. Outside blood it is strong in microglia, the myeloid cells of the brain, and next to
# nothing in neurons, oligodendrocytes, astrocytes, gut and stem cells. A factor that works in myeloid and B cells would fit.
#
# ## 4. Which letters? REF beside ALT
#
# In-silico mutagenesis of both alleles: every base is changed to each other one, once on the reference and once
# with the variant in place. Tall letters are bases that the prediction rests on.

# %%
cell = str(lead.context)
both = service.both_alleles("20", lead.position, lead.ref, lead.alt, [cell], flank=40, private=True)
window = results.locus_of(both.reference)
logos = [figures.Logo(both.reference, cell), figures.Logo(both.alternate, cell)]
heights = [results.contribution(one) for one in (both.reference, both.alternate)]
for logo, allele in zip(logos, ("REF " + lead.ref, "ALT " + lead.alt), strict=True):
    logo.label = f"{allele}\n{cell}"
drawing = figures.LocusFigure(
    window, [figures.Ruler("20", "GRCh37"), *logos, figures.VariantMarks([lead.position - 1])]
)
# on one scale, so that the heights can be compared: the axes are matplotlib's, to be changed by hand
for ax in drawing.figure.axes[1:3]:
    ax.set_ylim(min(float(one.min()) for one in heights), max(float(one.max()) for one in heights))
print(
    f"tallest letter: {float(heights[0].max()):.2f} with {lead.ref}, {float(heights[1].max()):.2f} with {lead.alt}"
)
drawing

# %%
changed_motifs(both, world.project.motifs, cell).round(9)

# %% [markdown]
# The tall letters read `AA.GAGGAAGT`: the **GGAA** that all factors of the ETS family bind, with the longer left
# flank that SPI1 (PU.1) and its sister SPIB like. The variant doesn't touch GGAA but a letter of that flank, and all letters
# shrink with it: the bases work together. The name fits the cell types of the forest above, which the motif search
# didn't know; SPI1 shapes myeloid and B cells. Still, a name stands for its family: which protein sits there
# the letters don't say.
#
# ## 5. Is the copy the sum of its variants?
#
# Most tools score one variant at a time. Here that can be checked: the exact prediction of each copy, with all its
# variants, against the reference plus what each variant does alone.

# %%
block = world.locus("chr20:3,519,001-3,522,000")
exact = service.predict(block, individual=person.sample)
added = service.personal(block, person.sample, mode="sum")


def change(dataset):
    """Return log2 fold changes of the bins of both copies."""
    logarithm = np.log2(1 + dataset["activity"])
    return (logarithm.sel(haplotype=["1", "2"]) - logarithm.sel(haplotype="reference")).values.ravel()


gap = abs(change(exact) - change(added))
touched = abs(change(exact)) > 1e-4
fit = np.corrcoef(change(exact)[touched], change(added)[touched])[0, 1]
print(f"{touched.sum():,} of {touched.size:,} numbers differ from the reference; correlation {fit:.4f}")
print(f"largest gap between exact and sum: {gap.max():.3f}, largest change {abs(change(exact)).max():.2f}")

# %% [markdown]
# Where variants lie far apart the sum is exact, because each bin sees about a kilobase only. It fails where two
# variants share an element: the manual (*Variants, individuals and haplotypes*) has the measurement over all 300
# people, and its worst cases. Where it matters, take the exact way: it costs little.
#
# ## 6. Who else carries it?

# %%
carried = world.individuals.genotypes(world.locus("chr20:3,520,570"))
alleles = carried.alleles[carried.variants["position"].to_numpy() == lead.position][0]
copies = (alleles == 1).sum(axis=1)
print(f"{(copies > 0).sum()} of {len(copies)} people carry {lead.id}, {(copies == 2).sum()} of them twice")
print(f"allele frequency {copies.sum() / (alleles >= 0).sum():.1%}")

# %% [markdown]
# A variant that several percent of people carry isn't one that breaks anything vital, whatever the model says about
# one element. A gene has many, and the others may make up for it.
#
# ## 7. What does it mean for expression, in which tissue?
#
# The gene readouts predict the expression of a gene from each copy by itself, in blood cells and in tissues. Tissues
# stand in an anatomical order, organ systems above them.

# %%
expression = service.expression("ATRN", person.sample)
change = (expression["expression"] - expression["expression"].sel(haplotype="reference")).squeeze()
print(expression["variants"].squeeze().to_series().to_dict(), "variants that the readouts see")
largest = abs(change).max("haplotype").to_series().nlargest(5).index
change.sel(haplotype=["1", "2"], context=largest).to_pandas().round(3)

# %%
figures.expression_figure(expression)

# %% [markdown]
# The changes are small, and tissues differ little: the readouts learned from some 400 genes which sequences go with
# expression at all, hardly what makes one tissue differ from another (the model card has the figures). And rs151521 has no
# part in them. It lies 69 kb behind the start of *ATRN*, and the readouts see 25 kb at most.
#
# ## 8. Does any measurement agree?
#
# The same person carries two variants of *PSMF1* that were lead variants for the expression of this gene in
# GTEx (v8): **rs2072963** in cultured fibroblasts and **rs11699188** in spleen; and **rs6116042** of *CDC25B*,
# which fine-mapping of UK Biobank lists for the volume of reticulocytes. The slopes are GTEx's, of the ALT allele.

# %%
gtex = pd.DataFrame(
    {
        "id": ["rs2072963", "rs11699188"],
        "tissue": ["cultured fibroblasts", "spleen"],
        "measured slope": [0.725, -0.319],
        "q": ["7e-66", "0.016"],
    }
).set_index("id")
chosen = table[table["id"].isin([*gtex.index, "rs6116042"])].set_index("id")
chosen[["position", "ref", "alt", "context", "effect", "quantile"]].join(gtex).round(3)

# %% [markdown]
# Both predictions have the sign of the measured slope. That is two coin flips, no proof, and weaker than it looks:
#
# - A lead variant is the one with the best p-value, not the one that acts. GTEx names others for *PSMF1* in nearly
#   every tissue, because many variants are inherited together.
# - The slopes are RNA in fibroblasts and spleen. The model predicts accessibility, and in neither of them.
# - We looked these two up because their effects were large. Over *all* lead variants in blood, with no choosing, the
#   manual has the share of equal signs, beside a baseline.
#
# And for the fine-mapped rs6116042 the model sees little: a small effect, with a quantile that one in ten common
# variants reaches. Either the model is wrong there or the variant acts in a way, or in a cell, that it doesn't know.
#
# ## 9. Take it along
#
# An annotated VCF for other tools, a table, both sequences, and a figure for print.

# %%
columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", person.sample]
inside = table[table["position"].between(near.start + 1, near.end)]
lines = [
    "##fileformat=VCFv4.2",
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
    "##contig=<ID=20>",
]
lines.append("\t".join(columns))
for one in inside.itertuples():
    site = ["20", str(one.position), one.id or ".", one.ref, one.alt, ".", "PASS", "."]
    lines.append("\t".join([*site, "GT", f"{one.haplotype_1}|{one.haplotype_2}"]))
(folder / "HG00190.vcf").write_text("\n".join(lines) + "\n")

score = partial(service.variant_effects, private=True)  # of a person: kept in memory only
annotate_vcf(folder / "HG00190.vcf", folder / "HG00190.effects.vcf", world.reference, score)
results.save(scores, folder / "HG00190.parquet")
write_fasta(person.haplotypes(near), folder / "HG00190.fa", assembly=world.reference.assembly)
figure = figures.personal_figure(tracks, annotation=world.annotation, variants=table, overlays=[mark])
figure.save(folder / "HG00190.svg")
annotated = (folder / "HG00190.effects.vcf").read_text().splitlines()
record = next(line for line in annotated if f"\t{lead.position}\t" in line).split("\t")
print(*record[:5], *[entry for entry in record[7].split(";") if f"_{cell}=" in entry])
print(*sorted(path.name for path in folder.iterdir()), sep="\n")

# %% [markdown]
# With files of your own the command line does the same, for a whole genome as well:
#
# ```
# phenviz variants calls.vcf.gz -o effects.vcf.gz
# phenviz variants calls.vcf.gz -o strongest.svg
# phenviz personal calls.vcf.gz --sample S1 --locus chr20:3,516,001-3,526,000 -o s1.svg
# phenviz personal calls.vcf.gz --sample S1 --locus ATRN -o s1.fa
# phenviz personal calls.vcf.gz --sample S1 --gene ATRN --context brain -o s1.tsv
# ```
#
# and the dashboard (`phenviz serve`) has a page for individuals and one for variants. Genomes stay on your machine.
#
# ## What this can not tell
#
# - **Whether the person's gene is expressed more or less.** Models of this kind tell genes apart well and people
#   badly: for many genes even the *direction* of the difference between two people was wrong (Huang et al. 2023;
#   Sasse et al. 2023, both *Nature Genetics*). Tutorial `06_predicted_and_measured` compares this model with measurements
#   in people: of the four genes that can be judged it gets the sign of three right, of one wrong.
# - **Which gene an element acts on.** rs151521 lies in *ATRN*; that doesn't make it a variant *of* ATRN.
# - **Anything outside the 22 cell types and tissues**, or beyond a kilobase around the variant.
# - **Whether the copy is right.** Phase was inferred statistically, least surely for rare variants, and the file has
#   no large structural variants.
# - **Anything about health.** A large number means that the model expects a change of accessibility. It isn't a
#   diagnosis, it isn't a risk, and it is not for clinical use.

# %%
service.close()

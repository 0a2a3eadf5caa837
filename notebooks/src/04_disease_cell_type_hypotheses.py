# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Through which cell types does a trait act?
#
# Genome-wide studies say *where* in the genome a trait is influenced, not in which cells. Fine-mapping narrows each
# signal down to a few variants with a probability of being causal. This tutorial asks a sequence model in which cell
# types these variants change open chromatin more than comparable variants do, follows one answer down to a single
# variant, its motif and its gene, and then asks how far such answers can be trusted.
#
# The example has answers in every textbook: red blood cells come from **erythroid** cells, platelets from
# **megakaryocytes**. The variants are real, fine-mapped for blood counts in UK Biobank (data pack `ukbb-blood-finemap`,
# 19.2 MB, `phenviz data fetch ukbb-blood-finemap`). Where the pack isn't at hand, the notebook says so and goes on with
# **simulated** traits: then it shows how the tools work, and nothing about blood.
#
# The model has read DNA only, of one chromosome. What it says are hypotheses, not for clinical use.

# %%
from pathlib import Path

import numpy as np
import pandas as pd

import phenviz
from phenviz import figures
from phenviz.data.packs import has_pack
from phenviz.disease import methods_paragraph, read_trait_pack, read_trait_variants, table_of
from phenviz.disease.simulated import simulated_traits
from phenviz.effects.motif_change import changed_motifs
from phenviz.figures.disease import bars_figure, forest_figure, heatmap_figure
from phenviz.figures.disease_qq import beta_band, leave_one_out_figure, qq_figure
from phenviz.service import variants_of_evidence

PACK, SEED = "ukbb-blood-finemap", 0
RED_CELLS, PLATELETS = ["MCH", "MCV", "RBC_COUNT", "RETIC_COUNT"], ["PLT_COUNT", "MPV"]

world = phenviz.open_world()
service = phenviz.ModelService(world)
real = has_pack(PACK)
if real:
    traits = read_trait_pack(PACK, world.reference, traits=RED_CELLS + PLATELETS)
else:
    print(f"Data pack {PACK} isn't here: SIMULATED traits instead. Nothing below is about real traits.")
    traits = simulated_traits(world, seed=SEED)
print(traits.report.describe())

# %% [markdown]
# The reader says what it kept. The model that comes with PhenViz knows chromosome 20 only, so most of each trait's
# variants are left out. How much is left? `posterior` is the expected number of causal variants, `share` that part of
# the file's which lies here. These are small numbers: a few loci decide everything that follows.

# %%
traits.summary().set_index("trait").loc[traits.traits].round(3)

# %% [markdown]
# ## 1. The test
#
# For each trait and cell type: how large are the predicted effects of its variants, weighted by their posterior? They
# are compared with matched loci, of the same activity, distance to a gene and GC content. Loci are drawn, not
# variants, since variants of one locus aren't independent evidence. `control-shuffled` shuffles the names of the
# cell types in each locus: what it finds can't be about cell types. With packs of peaks (`blood16-atac`, `nott2019-brain`,
# `fetal-intestine-dnase`), `accessibility` asks the same of measured open chromatin, without the model. Tested are 22
# contexts: blood, brain, gut and stem cells. The model's two reporter assays are left out, as no trait acts in a reporter.

# %%
methods = ["variant", "control-shuffled"]
if has_pack("blood16-atac"):
    methods.insert(1, "accessibility")
result = service.hypotheses(traits, method=methods, permutations=5_000, seed=SEED)
heatmap_figure(
    result,
    methods=methods[:-1],
    title="Hypotheses: traits by contexts" if real else "SIMULATED traits by contexts, not data",
)

# %% [markdown]
# Red: the variants do more in this cell type than comparable ones; stars mark what survives the correction for all
# traits and cell types. The best cell type of each trait, with its numbers:

# %%
tests = table_of(result)
columns = ["trait", "method", "context", "effect", "z", "p_value", "q_value", "top_locus_share", "p_without_top"]
best = tests.groupby(["trait", "method"], sort=False).head(1)[columns]
best[best["method"] != "control-shuffled"].set_index(["trait", "method"]).round(4)

# %% [markdown]
# `top_locus_share` is the part of the evidence that comes from the strongest locus and `p_without_top` what is left
# without it: where the first is near 1 and the second large, the hypothesis rests on a single place in the genome.
#
# Is the expected cell type first? The rule was fixed beforehand: erythroid cells (`Ery`) for red-cell traits,
# megakaryocytes (`Mega`) for platelet traits; for simulated traits the context in their name. Rank 1 is best of 22, and
# of 21 for measured chromatin: no peaks of the stem cells come with the packs.

# %%
if real:
    expected = dict.fromkeys(RED_CELLS, "Ery") | dict.fromkeys(PLATELETS, "Mega")
else:
    expected = {name: name.split("-", 1)[1] for name in traits.traits if not name.endswith("nothing")}



def rank(method, trait):
    z = result["z"].sel({"method": method, "trait": trait}).to_series()
    return int(z.rank(ascending=False)[expected[trait]])


table = pd.DataFrame({method: {trait: rank(method, trait) for trait in expected} for method in methods})
table.insert(0, "expected", pd.Series(expected))
table

# %% [markdown]
# Read it as a whole, the column of measured chromatin (if it is there) beside that of the model, and both beside the
# control. A rank is no test: where no star stands above, an expected cell type on top is agreement and not
# evidence by itself.
#
# With the real traits, the model puts the expected cell type first for four of six, and has no star. For the other two,
# reticulocytes and platelets, its best is the *astrocyte* of the brain, which can't be right. Contexts outside blood are more
# to choose from by mistake, and the matched loci don't exclude that. Measured chromatin gets five of six, five with a
# star. So what is known of red cells and platelets, the peaks tell better than the model.
#
# The documentation has this comparison for all sixteen traits and every method, with the rule of
# scoring, written down before the first run, and the table as it came out.
#
# ## 2. One trait closer
#
# The trait whose expected cell type has the highest z by the model, among those above:

# %%
z = result["z"].sel({"method": "variant"})
chosen = max(expected, key=lambda trait: float(z.sel(trait=trait, context=expected[trait])))
context = expected[chosen]
print(f"{chosen} in {context}")
bars_figure(result, method="variant", traits=[chosen], width_mm=89)

# %%
forest_figure(result, method="variant", traits=[chosen], width_mm=89)

# %% [markdown]
# The lines above are Bonferroni's thresholds (solid: all pairs; dashed: the effective number of independent cell types,
# as blood cells resemble each other). The forest has 95 % intervals from a bootstrap of loci: wide, with so few.
#
# Which loci does it rest on? Each is left out in turn.

# %%
evidence = service.trait_evidence(traits, chosen, permutations=5_000, seed=SEED)
loci = evidence.sel(context=context).drop_vars("context")
loci_table = loci[["lead", "gene", "posterior", "variants", "excess", "z_without", "p_without"]].to_dataframe()
strongest = loci_table.sort_values("excess", ascending=False).head(12)
leave_one_out_figure(evidence.sel(locus=list(strongest.index)), context)

# %%
strongest.head(6).set_index("lead")[["gene", "posterior", "variants", "excess", "z_without", "p_without"]].round(3)

# %% [markdown]
# ## 3. Down to one variant
#
# Of the trait's single-base variants with a posterior of at least 0.1, the one with the largest posterior-weighted effect in this
# cell type, and what the model predicts for it everywhere:

# %%
variants = variants_of_evidence(evidence).join(evidence["variant_effect"].to_pandas())
single = (variants["ref"].str.len() == 1) & (variants["alt"].str.len() == 1)
likely = variants[single & (variants["posterior"] >= 0.1) & variants[context].notna()]
one = likely.loc[(likely["posterior"] * likely[context].abs()).idxmax()]
print(f"chr{one.contig}:{one.position:,} {one.ref}>{one.alt}, posterior {one.posterior:.2f}, nearest gene {one.gene}")
print(f"predicted in {context}: {one[context]:+.3f} log2 fold change ({2 ** one[context] - 1:+.0%} accessibility)")
names = list(evidence["context"].values)  # the two reporter assays aren't tested
one[names].astype(float).sort_values(key=abs, ascending=False).head(6).round(3).to_frame("effect").T

# %% [markdown]
# Why? Every base around the variant is changed, once on the reference sequence and once with the variant in place. Letters
# above the line raise the prediction, letters that hang below lower it (a repressor's site). A motif that is tall in
# one and not in the other is the model's explanation. Mind that the two have scales of their own.

# %%
both = service.both_alleles(one.contig, int(one.position), one.ref, one.alt, contexts=[context], flank=60)
near = phenviz.Locus(one.contig, int(one.position) - 26, int(one.position) + 25)
figures.LocusFigure(
    near,
    [
        figures.Ruler(one.contig),
        figures.Logo(both.reference, context),
        figures.Logo(both.alternate, context),
        figures.VariantMarks([int(one.position) - 1], [f"{one.ref}>{one.alt}"]),
    ],
    title=f"Reference above, alternate below ({context})",
)

# %%
motifs = changed_motifs(both, world.project.motifs, context)
motifs.head(6) if len(motifs) else print("neither allele makes a motif stand out here")

# %% [markdown]
# `lost`: only the reference allele has it; `gained`: only the alternate; `kept`: both. Names of motifs are those of a
# family of factors that bind alike, and with hundreds to compare with, some name always fits: mind `p_value`.
#
# Mind the cell types, too: the effect in megakaryocytes is the largest, but that in myeloid cells and progenitors is nearly as
# large. The model doesn't call this a variant of megakaryocytes alone.
#
# The gene is the *nearest* one. The model sees about a kilobase, so it can't tell which gene an element acts on; that
# takes expression data, or an experiment.
#
# ## 4. How far can this be trusted?
#
# **Are the p-values right?** A test is calibrated if traits that act through nothing get a p-value below 0.05 in 5 % of
# the cases. So here are fifty made-up traits whose loci lie anywhere on the chromosome, written to a table such as one
# of your own might be, read, and tested in the same way.

# %%
rng = np.random.default_rng(SEED)
contig = next(iter(world.reference.contigs))
rows = []
while len(rows) < 50 * 6:
    position = int(rng.integers(100_000, world.reference.contigs[contig] - 100_000))
    ref = world.reference.sequence(phenviz.Locus(contig, position - 1, position))
    if ref != "N":
        alt = rng.choice([base for base in "ACGT" if base != ref])
        rows.append((f"null{len(rows) // 6 + 1}", contig, position, ref, alt, 0.9))
folder = Path("hypotheses")
folder.mkdir(exist_ok=True)
null_table = pd.DataFrame(rows, columns=["trait", "contig", "position", "ref", "alt", "posterior"])
null_table.to_csv(folder / "null.tsv", sep="\t", index=False)
nulls = read_trait_variants(folder / "null.tsv", world.reference)
null = service.hypotheses(nulls, method="variant", permutations=1_000, seed=SEED)["p_value"].squeeze("method")

rate = (null < 0.05).mean("context")
low, high = (float(rate.mean()) + sign * 1.96 * float(rate.std(ddof=1)) / len(rate) ** 0.5 for sign in (-1, 1))
print(f"p < 0.05 in {float(rate.mean()):.1%} of the tests of null traits (95 % interval {max(low, 0):.1%} to {high:.1%})")

# %% [markdown]
# The interval counts traits, not tests, since cell types resemble each other. Fifty traits with lone variants are a
# glance, not a proof: `python -m evaluation.disease_calibration` does it for 1,000 sets with the posteriors of real
# traits, for every method, and writes the rates into the documentation (*Hypotheses*, *Calibration*). Where a method's
# rate is off there, take its p-values for a ranking only; the rank test rests on a normal approximation that few
# loci strain, and g-chromVAR draws peaks one by one, as if those of one locus were independent.
#
# Below, one more look: all p-values, sorted, against those expected if nothing acted through any cell type. The band
# holds 95 % of them, point by point, if they were independent. The null traits and the control should keep to it; traits
# that act through something should leave it on the right.

# %%
shown = {name: result["p_value"].sel({"method": name}).values.ravel() for name in methods}
shown["null traits, variant"] = null.values.ravel()
for name, p_values in shown.items():
    p_values = np.sort(p_values[np.isfinite(p_values)])
    low, high = beta_band(len(p_values))
    above, below = p_values < low, p_values > high
    right = slice(len(p_values) // 20)  # the smallest 5 %
    print(
        f"{name}: {above.mean():.0%} of all points above the band, {below.mean():.0%} below it; "
        f"of those at the right end {above[right].mean():.0%} above, {below[right].mean():.0%} below"
    )
qq_figure(shown, title="Observed and expected p-values" + ("" if real else " (SIMULATED)"))

# %% [markdown]
# **The band is left, also where nothing acts.** All four curves leave it somewhere in the middle: cell types resemble each
# other, so their p-values go up and down together, and a band for independent ones is too narrow. What counts is the right
# end, the smallest 5 %. There measured chromatin lies above the band throughout, and the model's effects never do. The null
# traits lie *below* it for most of that end: they get too few small p-values, not too many. So the test errs on the careful side
# here, and may miss something.
#
# **What else limits it?**
#
# - One chromosome. The table at the top says what share of each trait's posterior lies here; a result on a few per
#   cent of it isn't one about the trait.
# - Twenty-two contexts, sixteen of them blood populations. A trait that acts elsewhere will still have a best one among them.
# - Cell types that resemble each other can't be told apart by so few loci (`p_conditional` asks what is left of one
#   given the best).
# - The model was trained on the chromatin of most of this chromosome. It knows the elements; the effects of single bases
#   it has to infer, and models of this kind sometimes get their sign wrong.
# - A hypothesis says where variants act on chromatin. It doesn't prove what a cell type does in a disease.
#
# ## 5. Take it along
#
# The same from the command line: `phenviz hypotheses --pack ukbb-blood-finemap --method variant -o h.svg`, and in the
# dashboard (`phenviz serve`) the page *Disease* leads from each cell of the heat map to its loci and variants with a
# click. A paragraph for the methods section, written from the settings of this very run:

# %%
tests.to_csv(folder / "hypotheses.tsv", sep="\t", index=False)
heatmap_figure(result, methods=["variant"]).save(folder / "hypotheses.svg")
print(methods_paragraph(result))
service.close()

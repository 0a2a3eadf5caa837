# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Risk and ancestry
#
# A *risk score* turns a genome into one number: how likely is this trait? This tutorial gives one real person a score,
# asks where the number lies among other people, what ancestry has to do with that, and which genes, cell types, alleles
# and bases it comes from.
#
# **The model that comes with PhenViz was trained on simulated people.** Their genomes come from the coalescent, with
# variants where 300 real Europeans have theirs (chr20:1-4 Mb, GRCh37). They fall ill by published effects on blood
# traits, which are scaled up a lot. So everything here shows how the method works, and nothing says anything about
# anybody's health.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import phenviz
from phenviz import figures
from phenviz.disease.cohort import open_risk_model
from phenviz.results.risk import risk_tables

world = phenviz.open_world()
service = phenviz.ModelService(world)
model = open_risk_model(world)
print("trained on", model.trained_on)
pd.Series({trait: model.label(trait) for trait in model.traits}, name="a case has")

# %% [markdown]
# ## 1. How much of it is real?
#
# For each trait: which share of its variance the published effects in these 3 Mb explain in reality, and which share
# they explain in the simulation. Before any result, keep this in mind.

# %%
share = {trait: model.card["traits"][trait]["published_variance"] for trait in model.traits}
pd.DataFrame({"in reality": share, "in the simulation": 0.4}).map("{:.3%}".format)

# %% [markdown]
# ## 2. How good are the scores?
#
# By test people, who taught the model nothing. *covariates*: age, sex and principal components alone. *prs*: a
# polygenic score, which adds up the weights of variants. *expression*: a linear score of predicted gene expression.
# *phenformer*: begins at that linear score, and a transformer over gene tokens learns what it leaves. *ensemble*:
# polygenic score and Phenformer together; *ensemble_linear*: polygenic score and expression. An area under the
# ROC curve (AUROC) of 0.5 is a coin toss.

# %%
metrics = model.reference.metrics
areas = metrics[(metrics["metric"] == "auroc") & (metrics["ancestry"] == "all")]
areas.pivot(index="trait", columns="score", values="value").round(2)

# %% [markdown]
# Is the transformer worth it? Compare the column *phenformer* with *expression*, where it begins: they are the same. With
# 720 people to learn from, no epoch was better than the beginning, so the transformer adds nothing. And the polygenic score
# is as good or better for every trait; together they gain a little for some. In the literature, non-linear models gain over
# polygenic scores above about a million people (PRSformer). And the scores were made in Europeans. How do they do in others?

# %%
trait = "MCV"
own = metrics[(metrics["metric"] == "auroc") & (metrics["trait"] == trait)]
own = own[own["ancestry"].isin(["all", *model.reference.ancestries])]
shown = own.assign(auroc=[f"{v:.2f} ({a:.2f}-{b:.2f})" for v, a, b in own[["value", "low", "high"]].to_numpy()])
shown.pivot(index="ancestry", columns="score", values="auroc")[["covariates", "prs", "expression", "phenformer"]]

# %% [markdown]
# The intervals are wide. Differences between columns or rows that lie within them mean nothing. The largest one is that of
# the Phenformer, which was taught by Europeans: it knows them better (EUR) than people of African ancestry (AFR), and even
# these two intervals touch.
#
# ## 3. One person
#
# `service.risk` reads the person's genotypes, scores what they change in the tokens of all genes, and runs the model.
# It is private: nothing is written to disk.

# %%
person = "HG00190"
risk = service.risk(person, trait)
tables = risk_tables(risk)
scores = tables["scores"].set_index("method")
print(f"most similar to {risk.ancestry.item()}; genetic distance {risk.distance.item():.2f} (training people: 1)")
scores[["score", "percentile.all", f"percentile.{risk.ancestry.item()}", "percentile_adjusted"]].round(2)

# %% [markdown]
# `score` is in log odds. `percentile.EUR` says which per cent of the simulated Europeans have a lower one, and
# `percentile_adjusted` the same among all, after what ancestry explains of mean and spread was taken out. Where the
# distributions of the groups differ, a raw percentile says first of all where somebody comes from:

# %%
reference = model.reference.scores[model.reference.scores["trait"] == trait]
fig, axes = plt.subplots(1, 2, figsize=(9, 2.6), layout="constrained", sharey=True)
for ax, table, name in zip(
    axes, (reference, model.reference.adjusted.loc[reference.index]), ("score", "z"), strict=True
):
    for group in model.reference.ancestries:
        values = table.loc[table["ancestry"] == group, "ensemble"]
        ax.hist(values, bins=30, density=True, histtype="step", label=group)
    ax.axvline(float(risk[name].sel({"trait": trait, "method": "ensemble"}).item()), color="black", label=person)
axes[0].set(xlabel="log odds of the ensemble", ylabel="density")
axes[1].set(xlabel="without what ancestry explains")
axes[1].legend(frameon=False)
_ = fig.suptitle("Simulated people, and one real person", fontsize=10)

# %% [markdown]
# ## 4. Which genes and cell types?
#
# Integrated gradients split the difference between this person's logit and that of the average training person over
# the numbers of all gene tokens. The parts add up:

# %%
total = float(risk["gene_contribution"].sum())
print(f"all genes together: {total:+.3f}; they miss the logit's difference by {risk.convergence_delta:.4f}")
genes = risk["gene_contribution"].isel(person=0, trait=0).to_series()
leading = genes.reindex(genes.abs().sort_values(ascending=False).index)[:8]
contexts = risk["contribution"].isel(person=0, trait=0).sel(gene=list(leading.index))
strongest = contexts["context"].values[np.abs(contexts.values).argmax(axis=1)]
pd.DataFrame({"contribution": leading.round(4), "by expression mostly in": strongest})

# %% [markdown]
# Cell types of one lineage are alike, so which one comes first is often a matter of chance. Believe the lineage rather
# than the cell type, and neither without other evidence.
#
# ## 5. Which alleles, which bases?
#
# Behind each gene stand the alleles that this person carries in its window. `frequency` is that among the training people,
# and `contribution` what the person's copies add, against the usual number of copies. A frequency of 0 is that of insertions
# and deletions: real people have them, and none of the simulated ones does. A large contribution of one of these is
# that of something the model never learned about.

# %%
alleles = tables["alleles"].sort_values("contribution", key=abs, ascending=False)
alleles.head(6)[["gene", "position", "ref", "alt", "id", "dosage", "frequency", "contribution"]].round(4)

# %% [markdown]
# Around the first of them we ask for every base. The trait's logit depends on the sequence through backbone, gene tokens
# and transformer, and its gradient goes all the way back.

# %%
first = alleles.iloc[0]
around = f"chr20:{first.position - 60:,}-{first.position + 60:,}"
bases = service.attribute(around, phenviz.Target(trait=trait), method="saliency")
print(f"{first.gene}: {around}, {first.ref}>{first.alt}")
figures.figure_of(bases)

# %% [markdown]
# From base to gene to cell type to trait to person: each step can be followed, and each is a step of the *model*.
#
# ## What such numbers can't tell
#
# - **Simulated people.** A percentile says where somebody lies among people who were made up. Real patients were never
#   seen.
# - **Differences between people** are what sequence models are worst at. For many genes they get even the sign of a
#   variant's effect wrong (Huang 2023, Sasse 2023). A contribution may be large, and its sign wrong.
# - **Attention over genes** has to earn its place against simple scores, and here it does not. PRSformer reports
#   gains above a million people.
# - **Other ancestries.** Only the Europeans' frequencies are real. For somebody else, look at the genetic distance before
#   anything else, and remember that scores made in one ancestry do worse in others.
# - **Three megabases** of one chromosome aren't a genome.

# %%
service.close()

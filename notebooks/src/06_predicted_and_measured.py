# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Predicted and measured
#
# PhenViz predicts expression from DNA alone. Does it know *people*? This tutorial compares it with what was measured
# in lymphoblastoid lines of people of the 1000 Genomes Project whose genotypes come with PhenViz, beside two methods
# that learn from people: the top variant, and elastic net. Such models are known to explain little between people,
# and often to get the sign wrong (Huang 2023, Sasse 2023). See for yourself.
#
# It needs the data pack `geuvadis-junctions` (18 MB): `phenviz data fetch geuvadis-junctions`.

# %%
import numpy as np
from matplotlib import pyplot as plt

import phenviz
from phenviz.results.measured import by_evidence

world = phenviz.open_world()
service = phenviz.ModelService(world)
found = service.submit("measured", source="geuvadis-junctions", genes=["ITPA", "UBOX5"]).result()
context = str(found["context"].values[0])
print(found.attrs["about"])
for note in filter(None, found.attrs["notes"].split("; ")):
    print("note:", note)

# %% [markdown]
# ## 1. How well does each method know people it hasn't seen?
#
# A correlation over people, each predicted by a fit on others (5-fold), with its 95 % interval. *Depth* is the number
# of reads at a gene's junctions, a rough stand-in for expression; *inclusion* is the share of reads that include an exon.

# %%
methods = list(found["method"].values)
table = by_evidence(found, context)
table[["gene", "feature", "gene_is", "people", *methods]].round(2)

# %% [markdown]
# The model has read the sequence around these genes (`training`), but no person. For the depth of *ITPA* it gets 0.48, not
# much less than the top variant. That is the best of the fifteen things that can be judged here (`docs/measured.md`), and
# one right sign is easily had: an earlier model, trained on blood populations alone, got −0.45 for this very gene in the
# same people. In another data set, the gene that is predicted best from genotypes, *HSPA12B*, has the wrong sign (−0.50).
#
# The model predicts expression, so of inclusion it can know nothing but by chance; here it leans to the wrong side (−0.17).
# The methods that learn from people know inclusion of *ITPA* well: a common variant changes how the gene is spliced.
#
# ## 2. Is that more than chance?
#
# The same with people shuffled within their population, and with the genotypes of a gene far away.

# %%
controls = found[["correlation", "shuffled", "far_gene"]].sel(context=context, split="5-fold")
controls.mean("gene").to_dataframe()[["correlation", "shuffled", "far_gene"]].round(2)

# %% [markdown]
# ## 3. One point per person

# %%
row = int(np.flatnonzero((found["gene"].values == "ITPA") & (found["feature"].values == "depth"))[0])
one = found.isel(gene=row).sel(context=context)
figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True)
for axis, method in zip(axes, ("model", "elastic-net"), strict=True):
    axis.scatter(one["predicted_value"].sel({"method": method}), one["measured_value"], s=9, alpha=0.6)
    r = float(one["correlation"].sel({"method": method, "split": "5-fold"}))
    axis.set(title=f"{method}, r = {r:+.2f}", xlabel="predicted")
axes[0].set_ylabel("ITPA, measured (covariates removed)")
figure.tight_layout()

# %% [markdown]
# ## 4. Which variant makes it right or wrong?
#
# The driver is the variant that most of the model's agreement, or disagreement, comes from: what the model predicts for it
# alone, and what goes with it in people, both per copy of ALT.

# %%
columns = ["gene", "feature", "model", "driver", "driver_id", "driver_effect", "driver_slope", "top_variant_id"]
table[columns].round(4)

# %% [markdown]
# For the depth of *ITPA* the driver is **rs71992021**, a deletion of eight bases, and the variant that goes with it best in
# people is the same one. The model and the measurement agree that the shorter allele means less. So the 0.48 rests on one
# variant. That it is the causal one is a hypothesis: others are inherited together with it.
#
# ## What this can't tell
#
# Five genes with junction counts in one kind of cell, at 3 Mb of one chromosome, say nothing about other genes or tissues.
# Who was measured is European. `phenviz measured --table` takes your own people, and `docs/measured.md` has every gene that can
# be judged here.

# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Scale out
#
# The gene tokens of a cohort are what a disease model learns from: for each person and gene, how the variants around the
# gene change what the model sees there. For 150,000 people that is long work, and something always goes wrong in long
# work. PhenViz cuts it into *shards*. Here two worker processes make them, we kill one of the two, and nothing is lost.
# The same runs on a cluster.
#
# It needs Dask: `pip install "phenviz[dask]"`. The people are 60 of the 300 real ones that come with PhenViz. They have no
# phenotypes, so **their trait is made up**; tokens don't depend on it.

# %%
import os
import signal
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import yaml

import phenviz
from phenviz.disease.cohort import open_cohort
from phenviz.progress import Progress
from phenviz.variation import open_individuals

world = phenviz.open_world()
genotypes = world.project.individuals[0]
people = open_individuals(genotypes, world.reference).samples["sample"][:60]

folder = Path("people")
folder.mkdir()
pd.DataFrame({"sample": people, "made_up": np.arange(len(people)) % 2}).to_csv(folder / "people.tsv", sep="\t", index=False)
(folder / "cohort.yaml").write_text(yaml.safe_dump({"genotypes": str(genotypes), "people": "people.tsv"}))
cohort = open_cohort(folder, world.reference)
print(f"{len(cohort.people)} people; traits: {', '.join(cohort.people.traits)}")

# %% [markdown]
# ## 1. Cut the work
#
# A *task* says what is made: small, and with paths, so that every worker opens the world and the models itself. Windows
# are 16 kb here instead of 197 kb, so that it doesn't take long. In a real run a shard takes about a minute. These are
# made far shorter: 16 genes each.

# %%
from phenviz.distributed import ShardFolder, open_client, run
from phenviz.distributed.cohort_tokens import TokenTask
from phenviz.distributed.world_address import WorldAddress

task = TokenTask(WorldAddress.of(world), folder.absolute(), window=16_384)
opened = task.open(world, cohort)
kept = ShardFolder(Path("tokens.shards").absolute(), opened.identity)
kept.prepare()
kept.settled("groups", 1)
shards = opened.shards(kept)
pd.Series({shard.name: shard.units for shard in shards}, name="people x genes")

# %% [markdown]
# What results depend on (models, genotypes, code, versions) is the *identity* of the work. A worker that has anything else
# is refused, and what another model made is never taken for this one's.

# %%
pd.Series(kept.identity).loc[["phenviz", "code", "torch", "backbone", "readout", "input 1"]]

# %% [markdown]
# ## 2. Two workers, and then one of them dies
#
# As soon as the first shard is finished, we kill a worker, as a cluster does with a job that takes too much memory. Its
# shard goes to somebody else.

# %%
victims = []


def watch(stage, fraction):
    if fraction:
        print(f"{fraction:4.0%}  {stage}")
    if fraction and victims:
        os.kill(victims.pop(), signal.SIGKILL)
        print("      (a worker was killed)")


with open_client("local:2") as client:
    before = set(client.run(os.getpid).values())
    victims.append(max(before))
    done = run(shards, task, client, folder=kept, progress=Progress(watch))
    after = set(client.run(os.getpid).values())
print(f"{done.computed} of {done.total} shards computed; workers that are still those of the beginning: {len(before & after)} of 2")

# %% [markdown]
# On the command line this is `phenviz cohort embed people --scheduler local:2`. With `tcp://host:8786` (a Dask scheduler that
# runs), `slurm` or `cuda` instead of `local:2`, it is the same on a cluster.
#
# ## 3. The manifest
#
# It has one row for each shard, and any tool that reads Parquet reads it. No names of people stand in it.

# %%
manifest = pd.read_parquet(next(Path("tokens.shards").glob("*/manifest.parquet")))
# who computed it, by number: their names are those of machines
manifest["worker"] = pd.factorize(manifest["worker"])[0] + 1
manifest[["shard", "state", "seconds", "attempts", "worker"]].round(1)

# %% [markdown]
# ## 4. A second run computes nothing

# %%
again = run(shards, task, folder=kept)
print(f"{again.computed} computed, {again.resumed} were there already")

# %% [markdown]
# ## 5. Is it the same as without workers?
#
# The shards are joined into one store, and the same tokens are made in this process.

# %%
from phenviz.results.tokens import TokenStore
from phenviz.service.cohort_embedding import embed_cohort

opened.join(shards, kept, Path("with_workers.zarr"))
opened.close()
with phenviz.ModelService(world) as service:
    embed_cohort(service, cohort, Path("alone.zarr"), window=16_384)

one, two = TokenStore(Path("alone.zarr")).read(), TokenStore(Path("with_workers.zarr")).read()
print(one.difference.shape, "people, genes, numbers")
print("equal to the last bit:", all(np.array_equal(getattr(one, name), getattr(two, name)) for name in ("difference", "scale", "reference")))

# %% [markdown]
# ## 6. What will mine cost?
#
# `phenviz cohort cost --people N` asks what this machine has learnt from its own jobs. Here the figures are those of
# `docs/scale.md`, measured on one core: 448 genes in windows of 197 kb. *Additive* tokens add the effects of variants up,
# which everybody shares; *exact* ones read every different haplotype.

# %%
from phenviz.distributed.cost import cohort_cost

rates = {"seconds_per_variant": 4.5e-4, "seconds_per_gene": 3.6, "seconds_per_person": 0.0257}
numbers = [100, 1_000, 10_000, 150_000]
hours = pd.DataFrame(
    {how: {n: cohort_cost(n, 448, 1, exact=how == "exact", **rates).hours for n in numbers} for how in ("additive", "exact")}
)
hours.index.name = "people"
hours.round(1)

# %%
figure, axis = plt.subplots(figsize=(5, 3.2), layout="constrained")
hours.plot(ax=axis, loglog=True, marker="o", ylabel="hours of one core", title="448 genes")
axis.legend(frameon=False)
axis.grid(alpha=0.3)

# %% [markdown]
# The figures for 150,000 people are an estimate: nobody has run it. `docs/scale.md` says what it assumes, and how long 40
# cores or 8 GPUs take.

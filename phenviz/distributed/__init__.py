"""Long work as independent shards: in this process, on a Dask cluster, or as an array of batch jobs."""

from phenviz.distributed.identity import identity_of
from phenviz.distributed.run import run
from phenviz.distributed.schedulers import open_client
from phenviz.distributed.shard_folder import ShardFolder
from phenviz.distributed.shards import OpenTask, RunSummary, Shard, Task

__all__ = ["OpenTask", "RunSummary", "Shard", "ShardFolder", "Task", "identity_of", "open_client", "run"]

"""Run NVTabular in this process (the default) or on a Dask cluster."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from dask import config as dask_settings
from distributed import Client, LocalCluster

from m2trec_merlin.errors import M2TRecError
from m2trec_merlin.merlin_adapter import WORKER_ENVIRONMENT, dask_client_for_merlin
from m2trec_merlin.preprocessing.places import require_place, workers_of

#: No dashboard, and no warnings about workers that are slow to stop.
_QUIET: dict[str, Any] = {"dashboard_address": None, "silence_logs": logging.ERROR}


@contextmanager
def open_cluster(dask: str | None, gpus: Sequence[str] = ()) -> Iterator[Client | None]:
    """Make NVTabular run where `dask` says, within the block.

    Args:
        dask: None (this process, one thread), `local:N` (N processes on this machine), or the address of a
            scheduler such as `tcp://10.0.0.5:8786`, whose workers see the same files and have this package.
        gpus: names of this machine's GPUs, as in CUDA_VISIBLE_DEVICES; each process of `local:N` uses one.

    Yields:
        The client, or None in this process.

    Raises:
        CommandLineError: `dask` is not understood.
        M2TRecError: the scheduler does not answer.
    """
    with _connect(dask, gpus) as client, dask_client_for_merlin(client):
        yield client


def _connect(dask: str | None, gpus: Sequence[str]) -> Any:
    if dask is None:
        return nullcontext(None)
    require_place(dask)
    if workers := workers_of(dask):
        return _start_local(workers, gpus)
    try:
        return Client(dask, timeout=10)
    except (OSError, ValueError) as error:
        raise M2TRecError(f"no Dask scheduler answers at {dask}: {error}") from None


@contextmanager
def _start_local(workers: int, gpus: Sequence[str]) -> Iterator[Client]:
    # A worker's environment must be set before it starts, because it imports Merlin before our modules.
    environment = {"distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT}
    with (
        dask_settings.set(environment),
        _LocalCluster(gpus, n_workers=0, threads_per_worker=1, **_QUIET) as cluster,
        Client(cluster) as client,
    ):
        cluster.scale(workers)
        client.wait_for_workers(workers)
        yield client


class _LocalCluster(LocalCluster):  # type: ignore[misc]
    """A cluster that gives each worker one GPU, if there are any, as dask-cuda's cluster does."""

    def __init__(self, gpus: Sequence[str], **settings: Any) -> None:
        self._gpus = gpus
        super().__init__(**settings)

    def new_worker_spec(self) -> dict[Any, Any]:
        [(name, spec)] = super().new_worker_spec().items()
        if self._gpus:
            environment = {"CUDA_VISIBLE_DEVICES": self._gpus[name % len(self._gpus)]}
            spec = {**spec, "options": {**spec["options"], "env": environment}}
        return {name: spec}

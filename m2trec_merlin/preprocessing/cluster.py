"""Where the work runs: in this process by default, on a Dask cluster on request."""

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

#: No dashboard, and no warning where workers are slow to stop after their work is done.
_QUIET: dict[str, Any] = {"dashboard_address": None, "silence_logs": logging.ERROR}


@contextmanager
def open_cluster(dask: str | None, gpus: Sequence[str] = ()) -> Iterator[Client | None]:
    """Make NVTabular run where `dask` says, for the length of the block.

    Args:
        dask: None (this process, one thread), `local:N` (N processes on this machine), or the address of a
            scheduler such as `tcp://10.0.0.5:8786`, whose workers see the same files and have this package.
        gpus: of this machine, as CUDA_VISIBLE_DEVICES names them; processes of `local:N` take one each.

    Yields:
        The client, or None in this process.

    Raises:
        ConfigError: `dask` is none of these.
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
    # The environment of a worker must be set before it starts: it imports Merlin ahead of our own modules.
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
    """Gives each worker a GPU, if there are any: the part of dask-cuda's cluster that is needed here."""

    def __init__(self, gpus: Sequence[str], **settings: Any) -> None:
        self._gpus = gpus
        super().__init__(**settings)

    def new_worker_spec(self) -> dict[Any, Any]:
        [(name, spec)] = super().new_worker_spec().items()
        if self._gpus:
            environment = {"CUDA_VISIBLE_DEVICES": self._gpus[name % len(self._gpus)]}
            spec = {**spec, "options": {**spec["options"], "env": environment}}
        return {name: spec}

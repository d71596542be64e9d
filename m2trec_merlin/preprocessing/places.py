"""Parse the option `--dask`; separate from `cluster.py`, which imports Dask."""

from __future__ import annotations

import re

from m2trec_merlin.errors import CommandLineError

#: A greater number is a typing error.
_MOST_WORKERS = 1024


def require_place(dask: str | None) -> None:
    """Check the value of `--dask`, which says where NVTabular runs.

    Raises:
        CommandLineError: it is neither None, nor `local:N`, nor the address of a scheduler.
    """
    if dask is None or re.fullmatch(r"(tcp|tls|ucx|ws|wss)://\S+:\d{1,5}/?", dask):
        return
    if not 1 <= (workers_of(dask) or 0) <= _MOST_WORKERS:
        raise CommandLineError(
            f"--dask {dask!r} is not understood; accepted: local:N for N processes on this machine, at most "
            f"{_MOST_WORKERS}, or the address of a scheduler such as tcp://host:8786"
        )


def workers_of(dask: str) -> int | None:
    """Return N of `local:N`; None for anything else."""
    match = re.fullmatch(r"local:(\d{1,9})", dask, re.ASCII)
    return int(match[1]) if match else None

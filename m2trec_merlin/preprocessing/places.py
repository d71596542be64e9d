"""Where the work can run, as `--dask` says it; apart from `cluster.py`, which brings Dask along."""

from __future__ import annotations

import re

from m2trec_merlin.errors import ConfigError

#: More is no machine, but a slip of the keyboard.
_MOST_WORKERS = 1024


def require_place(dask: str | None) -> None:
    """Check what says where NVTabular runs.

    Raises:
        ConfigError: it is neither None, nor `local:N`, nor the address of a scheduler.
    """
    if dask is None or re.fullmatch(r"(tcp|tls|ucx|ws|wss)://\S+:\d{1,5}/?", dask):
        return
    if not 1 <= (workers_of(dask) or 0) <= _MOST_WORKERS:
        raise ConfigError(
            f"--dask {dask!r} is not understood; accepted: local:N for N processes on this machine, at most "
            f"{_MOST_WORKERS}, or the address of a scheduler such as tcp://host:8786"
        )


def workers_of(dask: str) -> int | None:
    """Return N of `local:N`."""
    match = re.fullmatch(r"local:(\d{1,9})", dask, re.ASCII)
    return int(match[1]) if match else None

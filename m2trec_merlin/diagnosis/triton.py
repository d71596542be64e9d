"""Checks of what `m2trec serve` needs of this machine: libpython, Triton, ports."""

from __future__ import annotations

import sys
import sysconfig
from ctypes.util import find_library
from pathlib import Path

from m2trec_merlin.config import Config, ServingConfig
from m2trec_merlin.diagnosis.findings import Finding, State, ready
from m2trec_merlin.errors import M2TRecError
from m2trec_merlin.runs import Run

_COST = "`m2trec serve` does not start; everything up to `m2trec export` works"


def check_libpython(config: Config | None) -> Finding:
    """Check that there is a shared library of this Python, which the models inside Triton run in."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    name = f"libpython{version}.so.1.0"
    beside = Path(str(sysconfig.get_config_var("LIBDIR"))) / name
    if beside.is_file():
        return ready(str(beside))
    if found := find_library(f"python{version}"):
        return ready(found)
    return Finding(
        State.BLOCKED,
        f"no {name}",
        _COST,
        f"on Debian and Ubuntu: apt-get install libpython{version}; or use a Python that was built with "
        "--enable-shared",
    )


def check_triton(config: Config | None) -> Finding:
    """Check that Triton can be laid out as by `m2trec serve`, with all its libraries."""
    from m2trec_merlin.serving.server.triton_folder import assemble_triton, make_plain_folder

    try:
        with make_plain_folder() as folder:
            assemble_triton(Path(folder))
    except M2TRecError as error:
        return Finding(State.BLOCKED, str(error), _COST)
    return ready("Triton and its libraries are there")


def check_ports(config: Config | None) -> Finding:
    """Check that the ports of the configuration are free, or those of its run's server."""
    from m2trec_merlin.serving.server.ports import Ports, ports_served_from

    ports = Ports.of(ServingConfig() if config is None else config.serving)
    served = set() if config is None else ports_served_from(Run(config).triton)
    try:
        ports.require_free(served)
    except M2TRecError as error:
        return Finding(State.BLOCKED, str(error), _COST)
    named = {ports.http: "HTTP", ports.grpc: "gRPC", ports.metrics: "metrics"}
    told = {"free": named.keys() - served, "those of this run's server": named.keys() & served}
    return ready(
        "; ".join(
            f"{what}: {', '.join(f'{port} ({named[port]})' for port in sorted(of_these))}"
            for what, of_these in told.items()
            if of_these
        )
    )

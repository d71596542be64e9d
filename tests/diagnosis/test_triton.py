from __future__ import annotations

import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from m2trec_merlin.config import Config
from m2trec_merlin.diagnosis import triton
from m2trec_merlin.diagnosis.findings import State
from m2trec_merlin.diagnosis.triton import check_libpython, check_ports, check_triton
from m2trec_merlin.errors import MissingDependencyError
from m2trec_merlin.runs import Run
from m2trec_merlin.serving.server import triton_folder
from m2trec_merlin.serving.server.ports import Ports
from tests.runs.folders import configure

#: Listens on a port, as a process of Triton with the option that follows.
LISTENING = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))):
    print("listening", flush=True)
    sys.stdin.read()
"""


def on_ports(config: Config, ports: Ports) -> Config:
    named = {"http_port": ports.http, "grpc_port": ports.grpc, "metrics_port": ports.metrics}
    return config.model_copy(update={"serving": config.serving.model_copy(update=named)})


def test_a_port_that_is_taken_is_named_with_its_setting(tmp_path: Path) -> None:
    free = Ports.free()
    config = on_ports(configure(tmp_path), free)
    assert check_ports(config).state is State.READY
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free.grpc))
        taken.listen()
        found = check_ports(config)
    assert found.state is State.BLOCKED
    assert f"port {free.grpc} (grpc) is in use" in found.found and "serving.grpc_port" in found.found


def test_the_server_of_a_run_takes_no_port_from_it(tmp_path: Path) -> None:
    free, served = Ports.free(), tmp_path / "current"
    run, other = (on_ports(configure(tmp_path / name), free) for name in ("run", "other"))
    Run(run).triton.mkdir(parents=True)
    served.symlink_to(Run(run).triton)
    words = [sys.executable, "-c", LISTENING, str(free.grpc), f"--model-repository={served}"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None and server.stdout.readline()
        found = check_ports(run)
        assert check_ports(other).state is State.BLOCKED
    assert found.state is State.READY
    assert f"those of this run's server: {free.grpc} (gRPC)" in found.found
    assert f"{free.http} (HTTP)" in found.found.partition(";")[0]


def test_ports_are_looked_at_without_what_a_server_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert check_ports(on_ports(configure(tmp_path), Ports.free())).state is State.READY


def test_a_python_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: str(tmp_path))
    monkeypatch.setattr(triton, "find_library", lambda name: None)
    found = check_libpython(None)
    assert found.state is State.BLOCKED and "apt-get install libpython3." in found.remedy
    monkeypatch.setattr(triton, "find_library", lambda name: f"lib{name}.so.1.0")
    assert check_libpython(None).state is State.READY


def test_what_keeps_triton_from_being_laid_out_is_the_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(target: Path) -> None:
        raise MissingDependencyError("Triton needs libfancy.so.1, which this system lacks")

    monkeypatch.setattr(triton_folder, "assemble_triton", lacking)
    found = check_triton(None)
    assert found.state is State.BLOCKED
    assert found.found == "Triton needs libfancy.so.1, which this system lacks"
    assert "everything up to `m2trec export` works" in found.cost

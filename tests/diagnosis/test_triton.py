from __future__ import annotations

import socket
import sysconfig
from pathlib import Path

import pytest

from m2trec_merlin.diagnosis import triton
from m2trec_merlin.diagnosis.findings import State
from m2trec_merlin.diagnosis.triton import check_libpython, check_ports, check_triton
from m2trec_merlin.errors import MissingDependencyError
from m2trec_merlin.serving.server import triton_folder
from m2trec_merlin.serving.server.ports import Ports
from tests.runs.folders import configure


def test_a_port_that_is_taken_is_named_with_its_setting(tmp_path: Path) -> None:
    free = Ports.free()
    config = configure(tmp_path)
    ports = {"http_port": free.http, "grpc_port": free.grpc, "metrics_port": free.metrics}
    config = config.model_copy(update={"serving": config.serving.model_copy(update=ports)})
    assert check_ports(config).state is State.READY
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free.grpc))
        taken.listen()
        found = check_ports(config)
    assert found.state is State.BLOCKED
    assert f"port {free.grpc} (grpc) is in use" in found.found and "serving.grpc_port" in found.found


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

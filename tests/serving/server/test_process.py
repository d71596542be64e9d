"""The life of the server process, with a small program in Triton's place."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from m2trec_merlin.contract.catalogue import catalogue_folder
from m2trec_merlin.contract.names import LOCALHOST
from m2trec_merlin.errors import ArtifactError, ServerError
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.process import TritonServer
from tests.serving.server.stand_in import (
    BUSY,
    ENDING,
    FAILING,
    HANGING,
    READY,
    TELLING_AT_LAST,
    becomes_true,
    is_alive,
    write,
)
from tests.told import Told

# What a shell makes of the paths that it is given, and whether the model can be found there.
REPEATING = """
import os, pathlib, shlex, sys
repository = next(a.split("=")[1] for a in sys.argv if a.startswith("--model-repository"))
words = [*sys.argv, os.getcwd()]
plain = all(shlex.split(word) == [word] and word.isascii() for word in words)
print("plain", plain, pathlib.Path(repository, "m2trec", "config.pbtxt").is_file())
print("failed in", repository + "/m2trec")
raise SystemExit(3)
"""


def test_ready_server_and_its_workers_end_with_the_block(repository: Path, program: Path) -> None:
    write(program, READY)
    ports = Ports.free()
    with TritonServer(repository, ports, start_timeout=20) as server:
        assert server.grpc_address == f"127.0.0.1:{ports.grpc}"
        worker = int(server.log_tail().split()[-1])
        assert is_alive(worker)
    assert becomes_true(lambda: not is_alive(worker))
    ports.require_free()


def test_a_failing_start_shows_why(repository: Path, program: Path) -> None:
    write(program, FAILING)
    with pytest.raises(ServerError, match=r"code 3(.|\n)*disk full") as error:
        TritonServer(repository, Ports.free(), start_timeout=20).start()
    assert "CUDA" not in str(error.value)


def test_triton_sees_plain_paths_and_messages_show_the_users(
    repository: Path, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(program, REPEATING)
    named = repository.rename(tmp_path / "my Käse 'n' $HOME (1)")
    monkeypatch.setenv("TMPDIR", str(named))
    monkeypatch.chdir(named.parent)
    with pytest.raises(ServerError) as error:
        TritonServer(Path(named.name), Ports.free(), start_timeout=20).start()
    assert "plain True True" in str(error.value)
    assert f"failed in {named.name}/m2trec" in str(error.value)


def test_a_start_that_takes_too_long_is_given_up(repository: Path, program: Path) -> None:
    write(program, HANGING)
    with pytest.raises(ServerError, match=r"not ready after 1\.5 seconds(.|\n)*still loading"):
        TritonServer(repository, Ports.free(), start_timeout=1.5).start()


def test_what_workers_tell_when_they_end_is_said(repository: Path, program: Path) -> None:
    write(program, TELLING_AT_LAST)
    server, told = TritonServer(repository, Ports.free(), start_timeout=20), Told()
    server.start()
    server.stop(told)
    assert told.lines == ["the log cannot be written"]


def test_a_damaged_catalogue_stops_before_triton_starts(repository: Path, program: Path) -> None:
    folder = catalogue_folder(repository)
    folder.mkdir(parents=True)
    (folder / "current").write_text("7")
    with pytest.raises(ArtifactError, match=r"catalogue/7/checksums\.json .*run `m2trec catalog rollback`"):
        TritonServer(repository, Ports.free()).start()
    assert program.read_text() == ""


def test_a_missing_repository_names_the_verb(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="nothing is not there yet: run `m2trec export` first"):
        TritonServer(tmp_path / "nothing", Ports.free()).start()


def test_a_port_in_use_stops_before_triton_starts(repository: Path, program: Path) -> None:
    free = Ports.free()
    with socket.socket() as other:
        other.bind((LOCALHOST, free.http))
        other.listen()
        with pytest.raises(ServerError, match=f"port {free.http} .*serving.http_port"):
            TritonServer(repository, free).start()


def test_a_worker_that_was_killed_ends_the_server_at_once(repository: Path, program: Path) -> None:
    write(program, READY)
    ports = Ports.free()
    with TritonServer(repository, ports, start_timeout=20) as server:
        worker = int(server.log_tail().split()[-1])
        os.kill(worker, signal.SIGKILL)
        assert server.wait().startswith(
            f"Worker {worker} of Triton ended by itself.\nTriton's last messages:"
        )
        ports.require_free()


def test_without_its_worker_a_server_is_not_waited_for(repository: Path, program: Path) -> None:
    write(program, BUSY)
    with TritonServer(repository, Ports.free(), start_timeout=20) as server:
        worker = int(server.log_tail().split()[-1])
        looks = 0

        def kill_it() -> bool:
            nonlocal looks
            looks += 1
            if looks == 20:
                os.kill(worker, signal.SIGKILL)
            return False

        began = time.monotonic()
        assert server.drain(60, kill_it) == 7
        assert looks >= 20 and time.monotonic() - began < 20


def test_a_server_that_ends_by_itself_says_how(repository: Path, program: Path) -> None:
    write(program, ENDING)
    with TritonServer(repository, Ports.free(), 20) as server:
        assert server.wait().startswith("Triton ended by itself with code 0.")

"""The life of the server process, with a small program in Triton's place."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from m2trec_merlin.errors import ArtifactError, ServerError
from m2trec_merlin.serving.contract.names import LOCALHOST
from m2trec_merlin.serving.server import process as serving
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.process import TritonServer
from m2trec_merlin.serving.server.triton_folder import TritonFolder
from tests.told import Told

READY = """
import http.server, subprocess, sys
port = next(int(a.split("=")[1]) for a in sys.argv if a.startswith("--http-port"))
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("worker", worker.pid, flush=True)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/v2/models/m2trec/ready" else 404)
        self.end_headers()
    def log_message(self, *arguments): pass
http.server.HTTPServer(("127.0.0.1", port), Answer).serve_forever()
"""
FAILING = (
    "print('I1 CUDA memory pool disabled'); print('E1 failed to load m2trec: disk full'); raise SystemExit(3)"
)
HANGING = "import time; print('still loading', flush=True); time.sleep(60)"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    config = tmp_path / "repository" / "m2trec" / "config.pbtxt"
    config.parent.mkdir(parents=True)
    config.touch()
    return config.parent.parent


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An executable file that is started as Triton; tests write its code."""
    path = tmp_path / "tritonserver"
    path.touch(0o755)
    folder = TritonFolder(path, tmp_path, tmp_path, dict(os.environ))
    monkeypatch.setattr(serving, "assemble_triton", lambda target: folder)
    yield path


def write(program: Path, code: str) -> None:
    program.write_text(f"#!{sys.executable}\n{code}")


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()


def test_ready_server_and_its_workers_end_with_the_block(repository: Path, program: Path) -> None:
    write(program, READY)
    ports = Ports.free()
    with TritonServer(repository, ports, start_timeout=20) as server:
        assert server.grpc_address == f"127.0.0.1:{ports.grpc}"
        worker = int(server.log_tail().split()[-1])
        assert is_alive(worker)
    deadline = time.monotonic() + 5
    while is_alive(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(worker)
    ports.require_free()


def test_a_failing_start_shows_why(repository: Path, program: Path) -> None:
    write(program, FAILING)
    with pytest.raises(ServerError, match=r"code 3(.|\n)*disk full") as error:
        TritonServer(repository, Ports.free(), start_timeout=20).start()
    assert "CUDA" not in str(error.value)


def test_a_start_that_takes_too_long_is_given_up(repository: Path, program: Path) -> None:
    write(program, HANGING)
    with pytest.raises(ServerError, match=r"not ready after 1\.5 seconds(.|\n)*still loading"):
        TritonServer(repository, Ports.free(), start_timeout=1.5).start()


def test_a_missing_repository_names_the_verb(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="m2trec export"):
        TritonServer(tmp_path / "nothing", Ports.free()).start()


def test_a_port_in_use_stops_before_triton_starts(repository: Path, program: Path) -> None:
    free = Ports.free()
    with socket.socket() as other:
        other.bind((LOCALHOST, free.http))
        other.listen()
        with pytest.raises(ServerError, match=f"port {free.http} .*serving.http_port"):
            TritonServer(repository, free).start()


SERVE = """
import os, sys
from pathlib import Path
from m2trec_merlin.progress import Lines
from m2trec_merlin.serving.server import process as serving
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.triton_folder import TritonFolder
repository, program = Path(sys.argv[1]), Path(sys.argv[2])
serving.assemble_triton = lambda target: TritonFolder(program, target, target, dict(os.environ))
serving.serve(serving.TritonServer(repository, Ports.free(), 20), Lines(lambda line: print(line, flush=True)))
"""


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_serve_says_where_it_listens_and_stops_when_asked(
    repository: Path, program: Path, stop: signal.Signals
) -> None:
    write(program, READY)
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(repository), str(program)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(3)]
    assert "gRPC 127.0.0.1:" in said[1] and "Metrics http://127.0.0.1:" in said[2]
    process.send_signal(stop)
    rest, _ = process.communicate(timeout=30)
    assert rest == "Triton has stopped.\n" and process.returncode == 0


def test_serve_reports_a_server_that_ends_by_itself(repository: Path, program: Path) -> None:
    write(program, READY.replace("serve_forever()", "handle_request()"))
    told = Told()
    with pytest.raises(ServerError, match="ended by itself with code 0"):
        serving.serve(TritonServer(repository, Ports.free(), 20), told)
    assert len(told.lines) == 3

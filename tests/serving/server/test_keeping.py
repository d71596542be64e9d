"""`m2trec serve` from start to stop, in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.server import keeping
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.process import TritonServer
from tests.serving.server.stand_in import BUSY, ENDING, HANGING, READY, TELLING, becomes_true, is_alive, write
from tests.told import Told

SERVE = """
import os, sys
from pathlib import Path
from m2trec_merlin.progress import Lines
from m2trec_merlin.serving.server import keeping, process
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.triton_folder import TritonFolder
repository, program = Path(sys.argv[1]), Path(sys.argv[2])
process.assemble_triton = lambda target: TritonFolder(program, target, target, dict(os.environ))
server = process.TritonServer(repository, Ports.free(), 20)
lines = Lines(lambda line: print(line, flush=True))
print(server._shared_memory_prefix, flush=True)
keeping.serve(server, lines)
"""

STOPPING = "Stopping when what has come so far is answered; once more to stop at once\n"
STOPPED = "Triton has stopped.\n"


@contextmanager
def serving(repository: Path, program: Path, code: str) -> Iterator[subprocess.Popen[str]]:
    """A process that serves; the first line that it says is the prefix of its shared memory."""
    write(program, code)
    command = [sys.executable, "-c", SERVE, str(repository), str(program)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True) as process:
        yield process
        process.kill()


@pytest.fixture
def served(repository: Path, program: Path) -> Iterator[subprocess.Popen[str]]:
    with serving(repository, program, READY) as process:
        yield process


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().rstrip("\n") for _ in range(count)]


def family(process: int) -> list[int]:
    """Children and their children, and so on."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [each for child in map(int, children) for each in (child, *family(child))]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_listens_and_stops_when_asked(
    served: subprocess.Popen[str], stop: signal.Signals
) -> None:
    _, start, ready, metrics = lines(served, 4)
    assert start.startswith("Starting Triton on ") and "gRPC 127.0.0.1:" in ready
    assert metrics.startswith("Metrics http://127.0.0.1:")
    processes = family(served.pid)
    served.send_signal(stop)
    rest, _ = served.communicate(timeout=30)
    assert rest == STOPPING + STOPPED and served.returncode == 0
    assert becomes_true(lambda: not any(map(is_alive, processes)))


def test_a_second_signal_ends_the_wait_for_what_is_under_way(repository: Path, program: Path) -> None:
    with serving(repository, program, BUSY) as served:
        lines(served, 4)
        served.send_signal(signal.SIGTERM)
        assert lines(served, 1) == [STOPPING.rstrip()]
        time.sleep(keeping._SAME_SECONDS + 0.1)
        assert served.poll() is None
        asked = time.monotonic()
        served.send_signal(signal.SIGINT)
        rest, _ = served.communicate(timeout=30)
    assert rest == f"Not waited for any longer: 7 requests that are under way\n{STOPPED}"
    assert served.returncode == 0 and time.monotonic() - asked < keeping._DRAIN_SECONDS - 2


def test_a_server_that_is_starting_is_stopped_at_once(repository: Path, program: Path) -> None:
    with serving(repository, program, HANGING) as served:
        lines(served, 2)
        assert becomes_true(lambda: len(family(served.pid)) >= 2)
        served.send_signal(signal.SIGTERM)
        assert served.communicate(timeout=15)[0] == STOPPED and served.returncode == 0


def test_a_signal_that_comes_twice_at_once_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with keeping._Signals() as signals:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert signals.came == 1
        monkeypatch.setattr(keeping, "_SAME_SECONDS", 0.0)
        signal.raise_signal(signal.SIGINT)
        assert signals.came == 2
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_what_workers_tell_is_said_once(repository: Path, program: Path) -> None:
    with serving(repository, program, TELLING) as served:
        assert lines(served, 5)[-1] == "version 3 is damaged"
        served.send_signal(signal.SIGTERM)
        rest, _ = served.communicate(timeout=30)
    assert rest == STOPPING + STOPPED


def test_a_killed_worker_brings_a_new_server(served: subprocess.Popen[str]) -> None:
    _, _, ready, _ = lines(served, 4)
    worker = next(each for each in family(served.pid) if "time.sleep" in command_of(each))
    os.kill(worker, signal.SIGKILL)
    said = lines(served, 6)
    assert said[0] == f"Worker {worker} of Triton ended by itself."
    assert said[-3] == "Starting it again ..." and said[-2] == ready


def command_of(process: int) -> str:
    return Path(f"/proc/{process}/cmdline").read_text()


def test_nothing_is_left_when_it_is_killed(served: subprocess.Popen[str]) -> None:
    (prefix, *_) = lines(served, 4)
    processes = family(served.pid)
    shared = Path("/dev/shm", f"{prefix}left")
    shared.touch()
    folders = {Path(f"/proc/{each}/cwd").readlink() for each in processes} - {Path.cwd()}
    assert len(processes) >= 3 and len(folders) == 1
    served.kill()
    served.wait()
    assert becomes_true(lambda: not any(map(is_alive, processes)))
    assert becomes_true(lambda: not shared.exists() and not any(folder.exists() for folder in folders))


def test_a_server_that_ends_again_and_again_is_given_up(repository: Path, program: Path) -> None:
    write(program, ENDING)
    told = Told()
    with pytest.raises(ServerError, match=r"ended by itself with code 0(.|\n)*5th time within minutes"):
        keeping.serve(TritonServer(repository, Ports.free(), 20), told)
    assert sum(line.startswith("Ready. ") for line in told.lines) == 5

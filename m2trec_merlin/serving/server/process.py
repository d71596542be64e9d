"""The process of a real Triton Inference Server: started on a model repository, and stopped cleanly."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import psutil

from m2trec_merlin.contract.catalogue import require_current
from m2trec_merlin.contract.checksums import require_sealed
from m2trec_merlin.contract.names import ENSEMBLE, LOCALHOST
from m2trec_merlin.contract.repository import require_repository
from m2trec_merlin.errors import ServerError
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.serving.server.draining import UnderWay, drain
from m2trec_merlin.serving.server.grpc_endpoint import LOOPBACK, GrpcEndpoint
from m2trec_merlin.serving.server.guard import Guard
from m2trec_merlin.serving.server.instructions import NOTHING, UNDER_WAY, Instructions
from m2trec_merlin.serving.server.local_http import answer_of
from m2trec_merlin.serving.server.ports import MODELS_OPTION, Ports
from m2trec_merlin.serving.server.triton_folder import TritonFolder, assemble_triton, make_plain_folder
from m2trec_merlin.serving.server.triton_log import TritonLog

_POLL_SECONDS = 0.1
_STOP_SECONDS = 20.0
_SHARED_MEMORY = Path("/dev/shm")


class TritonServer:
    """A Triton server process, as a context manager.

    Args:
        repository: the model repository that `m2trec export` wrote.
        ports: ports to listen on.
        start_timeout: seconds to wait until the model is ready.
        door: interface and encryption of gRPC; HTTP and metrics listen on 127.0.0.1 only.
        instructions: settings for the models.
    """

    def __init__(
        self,
        repository: Path,
        ports: Ports,
        start_timeout: float = 90.0,
        *,
        door: GrpcEndpoint = LOOPBACK,
        instructions: Instructions = NOTHING,
    ) -> None:
        self.repository = repository
        self.ports = ports
        self.start_timeout = start_timeout
        self.door = door
        self.instructions = instructions
        self._process: subprocess.Popen[bytes] | None = None
        self._workers: list[psutil.Process] = []
        self._guard: Guard | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._log: TritonLog | None = None
        self._shared_memory_prefix = f"m2trec_{os.getpid()}_{uuid.uuid4().hex[:8]}_"

    @property
    def grpc_address(self) -> str:
        """Address of gRPC for a client on this machine."""
        return self.door.local(self.ports.grpc)

    @property
    def http_address(self) -> str:
        """Address of health checks and of Triton's REST interface."""
        return f"http://{LOCALHOST}:{self.ports.http}"

    @property
    def metrics_address(self) -> str:
        """Address of the metrics for Prometheus."""
        return f"http://{LOCALHOST}:{self.ports.metrics}/metrics"

    def require_startable(self) -> None:
        """Check everything that can be checked before the start.

        Raises:
            ArtifactError: there is no model repository, or its files or those of its current catalogue were
                altered.
            ServerError: a port is in use, what `serving.host` or `serving.tls` names is not there, or a
                second model has answers of another form.
        """
        require_repository(self.repository)
        beside = self.instructions.beside
        for repository in (self.repository, *(() if beside is None else (beside.repository,))):
            require_sealed(repository)
            require_current(repository)
        if beside is not None:
            beside.require_alike(self.repository)
        self.ports.require_free()
        self.door.require_usable(self.ports.grpc)

    def start(self) -> None:
        """Check that everything is there, start Triton, and wait until the model is ready.

        Raises:
            ArtifactError: there is no model repository, or its files were altered.
            MissingDependencyError: nvidia-pytriton or a system library is missing.
            ServerError: see `require_startable`; or no folder has a plain path, or Triton failed to start in
                time, with its last messages.
        """
        self.require_startable()
        self._folder = make_plain_folder()
        try:
            folder = Path(self._folder.name)
            self._models.symlink_to(self.repository.resolve())
            self._log = TritonLog(folder / "triton.log", self._models, self.repository)
            triton = assemble_triton(folder)
            laid_out = self.instructions.laid_out(folder)
            with laid_out as (variables, descriptors), self._log.path.open("wb") as log:
                # In a process group of its own, so that Ctrl-C reaches us first and no worker outlives it.
                self._process = subprocess.Popen(
                    self._command(triton),
                    env={**triton.environment, **variables},
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=descriptors,
                )
            shared = _SHARED_MEMORY / self._shared_memory_prefix
            self._guard = Guard(self._process.pid, folder, shared)
            self._wait_until_ready()
            try:
                self._workers = psutil.Process(self._process.pid).children()
            except psutil.NoSuchProcess:
                raise self._stopped_while_starting() from None
        except BaseException:
            self.stop()
            raise

    def stop(self, progress: Progress = SILENT) -> None:
        """End the server and its workers, by force if they do not react, and remove their shared memory.

        Args:
            progress: listener for the last messages of workers.
        """
        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None
        if self._process is not None:
            _end_group(self._process)
            self._process = None
            for region in _SHARED_MEMORY.glob(f"{self._shared_memory_prefix}*"):
                region.unlink(missing_ok=True)
        if self._folder is not None:
            for line in self._log.told_by_workers() if self._log is not None else []:
                progress.say(line)
            self._folder.cleanup()
            self._folder = None

    def wait(self, progress: Progress = SILENT) -> str:
        """Block until Triton or one of its workers ends by itself; return what happened.

        Without a worker every request would fail while Triton stays ready, so Triton is ended at once.

        Args:
            progress: listener for messages of workers meanwhile.
        """
        assert self._process is not None and self._log is not None
        while self._process.poll() is None:
            for line in self._log.told_by_workers():
                progress.say(line)
            if (worker := self._ended_worker()) is not None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
                return f"Worker {worker.pid} of Triton ended by itself.\n{self.log_tail()}"
            time.sleep(_POLL_SECONDS)
        return f"Triton ended by itself with code {self._process.returncode}.\n{self.log_tail()}"

    def drain(self, seconds: float, given_up: Callable[[], bool]) -> int:
        """Wait until the requests that have come so far are answered; see `draining.py`.

        Args:
            seconds: longest time to wait.
            given_up: function that tells whether to stop waiting.

        Returns:
            The number of requests that were not waited for; if a worker has ended, there is no waiting.
        """
        assert self._process is not None and self._folder is not None
        process, folder = self._process, Path(self._folder.name)

        def is_over() -> bool:
            return given_up() or process.poll() is not None or self._ended_worker() is not None

        return drain(UnderWay(folder / UNDER_WAY, self.metrics_address), seconds, is_over)

    def log_tail(self) -> str:
        """Return Triton's last warnings and errors, or its last messages if there are none."""
        assert self._log is not None
        return self._log.last_messages()

    def __enter__(self) -> TritonServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _models(self) -> Path:
        """Path of the repository for Triton, a link in the folder with a plain path."""
        assert self._folder is not None
        return Path(self._folder.name) / "models"

    def _ended_worker(self) -> psutil.Process | None:
        return next((worker for worker in self._workers if _has_ended(worker)), None)

    def _command(self, triton: TritonFolder) -> list[str]:
        return [
            str(triton.binary),
            f"{MODELS_OPTION}{self._models}",
            # In other modes, any client that reaches the port could load models, and so run code.
            "--model-control-mode=none",
            f"--backend-directory={triton.backends}",
            f"--cache-directory={triton.caches}",
            f"--backend-config=python,shm-region-prefix-name={self._shared_memory_prefix}",
            f"--http-address={LOCALHOST}",
            *self.door.options(),
            f"--metrics-address={LOCALHOST}",
            f"--http-port={self.ports.http}",
            f"--grpc-port={self.ports.grpc}",
            f"--metrics-port={self.ports.metrics}",
            "--exit-timeout-secs=5",
        ]

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + self.start_timeout
        while not self._model_is_ready():
            if self._process.poll() is not None:
                raise self._stopped_while_starting()
            if time.monotonic() > deadline:
                raise ServerError(
                    f"Triton's model '{ENSEMBLE}' was not ready after {self.start_timeout:g} seconds; "
                    f"a slow machine needs a larger serving.start_timeout.\n{self.log_tail()}"
                )
            time.sleep(_POLL_SECONDS)

    def _stopped_while_starting(self) -> ServerError:
        assert self._process is not None
        code = self._process.poll()
        return ServerError(f"Triton stopped while starting (code {code}).\n{self.log_tail()}")

    def _model_is_ready(self) -> bool:
        return answer_of(f"{self.http_address}/v2/models/{ENSEMBLE}/ready") is not None


def _has_ended(process: psutil.Process) -> bool:
    """Tell whether a process has ended, even if it is still a zombie."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        # It ended between the two calls.
        return True


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a group, then all that is left of the group."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return

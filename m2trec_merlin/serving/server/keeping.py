"""Running a server until it is stopped; a server that lost a worker is replaced by a new one."""

from __future__ import annotations

import signal
import time
from types import FrameType, TracebackType

from m2trec_merlin.errors import ServerError
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.serving.server.process import TritonServer

#: A server that ends this often within this many seconds is not started again.
_REPLACED, _WITHIN_SECONDS = 5, 300.0
#: Longest wait for requests that are under way; Kubernetes grants 30 seconds in all.
_DRAIN_SECONDS = 10.0
#: A second signal within so many seconds counts as the same one: `timeout` sends it to a process and to the
#: group of the process.
_SAME_SECONDS = 0.5


def serve(server: TritonServer, progress: Progress = SILENT, drain_seconds: float = _DRAIN_SECONDS) -> None:
    """Start a server, report where it listens, and keep it running until Ctrl-C or SIGTERM.

    On the signal, requests that have come so far are answered first; a second signal ends this wait.

    Triton does not notice when one of its workers is killed, for example for lack of memory: its models stay
    ready and every request fails. So the whole server is ended at once, and started again.

    Args:
        server: the server, not started yet.
        progress: listener for where the server listens, and why it was started again.
        drain_seconds: longest wait for requests that are under way at the end.

    Raises:
        ServerError: the server could not be started, or ends by itself again and again.
    """
    ended: list[float] = []
    with _Signals() as signals:
        try:
            server.require_startable()
            progress.say(f"Starting Triton on {server.repository} ...")
            while True:
                server.start()
                try:
                    progress.say(f"Ready. gRPC {server.grpc_address}   HTTP {server.http_address}")
                    progress.say(f"Metrics {server.metrics_address}   Stop with Ctrl-C")
                    why = server.wait(progress)
                except KeyboardInterrupt:
                    _drain(server, drain_seconds, signals, progress)
                    raise
                server.stop(progress)
                ended = [*ended, time.monotonic()][-_REPLACED:]
                if len(ended) == _REPLACED and ended[-1] - ended[0] < _WITHIN_SECONDS:
                    raise ServerError(f"{why}\nThis was the {_REPLACED}th time within minutes: given up")
                progress.say(f"{why}\nStarting it again ...")
        except KeyboardInterrupt:
            # The signal may have interrupted an earlier stop.
            server.stop(progress)
            progress.say("Triton has stopped.")
        finally:
            signals.interrupt = False
            server.stop(progress)


def _drain(server: TritonServer, seconds: float, signals: _Signals, progress: Progress) -> None:
    progress.say("Stopping when what has come so far is answered; once more to stop at once")
    left = server.drain(seconds, lambda: signals.came > 1)
    if left:
        progress.say(f"Not waited for any longer: {left:,} requests that are under way")


class _Signals:
    """A handler of Ctrl-C and SIGTERM: the first signal raises KeyboardInterrupt, further ones are counted.

    Attributes:
        came: number of signals so far.
        interrupt: whether the first signal raises it.
    """

    def __init__(self) -> None:
        self.came, self.interrupt = 0, True
        self._last = -_SAME_SECONDS

    def __enter__(self) -> _Signals:
        # SIGINT has to be set, too, since a shell starts background commands with it ignored.
        numbers = signal.SIGINT, signal.SIGTERM
        self._previous = {number: signal.signal(number, self._come) for number in numbers}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _come(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._last < _SAME_SECONDS:
            return
        self.came, self._last = self.came + 1, now
        if self.came == 1 and self.interrupt:
            raise KeyboardInterrupt

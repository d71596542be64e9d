"""Keep a server until someone stops it: a server that lost a worker is replaced by a new one."""

from __future__ import annotations

import signal
import time
from types import FrameType, TracebackType

from m2trec_merlin.errors import ServerError
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.serving.server.process import TritonServer

#: A server that has to be replaced so often within so many seconds is beyond help.
_REPLACED, _WITHIN_SECONDS = 5, 300.0
#: What is under way is waited for no longer; Kubernetes gives 30 seconds in all.
_DRAIN_SECONDS = 10.0
#: Of two signals within so many seconds the second is the same one: `timeout` sends it to a process, and to
#: the group that it is in.
_SAME_SECONDS = 0.5


def serve(server: TritonServer, progress: Progress = SILENT, drain_seconds: float = _DRAIN_SECONDS) -> None:
    """Start a server, say where it listens, and keep it until Ctrl-C or SIGTERM.

    Then what has come so far is answered first; a second signal ends this wait.

    Triton does not notice that one of its workers was killed, for want of memory, say: its models stay ready
    and every request fails. So the whole server is ended at once, and started anew.

    Args:
        server: not started yet.
        progress: is told where the server listens, and why it was started again.
        drain_seconds: what is under way in the end is waited for no longer.

    Raises:
        ServerError: it could not be started, or ends by itself again and again.
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
                server.stop()
                ended = [*ended, time.monotonic()][-_REPLACED:]
                if len(ended) == _REPLACED and ended[-1] - ended[0] < _WITHIN_SECONDS:
                    raise ServerError(f"{why}\nThis was the {_REPLACED}th time within minutes: given up")
                progress.say(f"{why}\nStarting it again ...")
        except KeyboardInterrupt:
            # Once more where it was just being stopped.
            server.stop()
            progress.say("Triton has stopped.")
        finally:
            signals.interrupt = False
            server.stop()


def _drain(server: TritonServer, seconds: float, signals: _Signals, progress: Progress) -> None:
    progress.say("Stopping when what has come so far is answered; once more to stop at once")
    left = server.drain(seconds, lambda: signals.came > 1)
    if left:
        progress.say(f"Not waited for any longer: {left:,} requests that are under way")


class _Signals:
    """Ctrl-C and SIGTERM: the first one interrupts whatever goes on, further ones are counted.

    Attributes:
        came: how many.
        interrupt: whether the first one does so.
    """

    def __init__(self) -> None:
        self.came, self.interrupt = 0, True
        self._last = -_SAME_SECONDS

    def __enter__(self) -> _Signals:
        # SIGINT, too: a shell starts background commands with it ignored.
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

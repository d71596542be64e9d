"""Keep a server until someone stops it: a server that lost a worker is replaced by a new one."""

from __future__ import annotations

import signal
import time
from types import FrameType

from m2trec_merlin.errors import ServerError
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.serving.server.process import TritonServer

#: A server that has to be replaced so often within so many seconds is beyond help.
_REPLACED, _WITHIN_SECONDS = 5, 300.0


def serve(server: TritonServer, progress: Progress = SILENT) -> None:
    """Start a server, say where it listens, and keep it until Ctrl-C or SIGTERM.

    Triton does not notice that one of its workers was killed, for want of memory, say: its models stay ready
    and every request fails. So the whole server is ended at once, and started anew.

    Args:
        server: not started yet.
        progress: is told where the server listens, and why it was started again.

    Raises:
        ServerError: it could not be started, or ends by itself again and again.
    """
    # SIGINT, too: a shell starts background commands with it ignored.
    previous = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    ended: list[float] = []
    try:
        server.require_startable()
        progress.say(f"Starting Triton on {server.repository} ...")
        while True:
            with server:
                progress.say(f"Ready. gRPC {server.grpc_address}   HTTP {server.http_address}")
                progress.say(f"Metrics {server.metrics_address}   Stop with Ctrl-C")
                why = server.wait()
            ended = [*ended, time.monotonic()][-_REPLACED:]
            if len(ended) == _REPLACED and ended[-1] - ended[0] < _WITHIN_SECONDS:
                raise ServerError(f"{why}\nThis was the {_REPLACED}th time within minutes: given up")
            progress.say(f"{why}\nStarting it again ...")
    except KeyboardInterrupt:
        progress.say("Triton has stopped.")
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt

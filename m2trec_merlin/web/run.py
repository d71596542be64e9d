"""The verb `try`: open runs and show the page until it is stopped."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from m2trec_merlin.contract.names import LOCALHOST, is_loopback
from m2trec_merlin.errors import MissingDependencyError, ServerError
from m2trec_merlin.library.local import load
from m2trec_merlin.progress import Progress

_EVERYWHERE = "0.0.0.0"


def show_page(runs: Sequence[Path], host: str, port: int, progress: Progress) -> None:
    """Open runs, report the address of the page, and show it until Ctrl-C or SIGTERM.

    Args:
        runs: folders of runs, links to them, configuration files or exports; items are searched in the first.
        host: name or IPv4 address of an interface of this machine; 0.0.0.0 for all of them.
        port: port to listen on; 0 for any free port.
        progress: listener for the address of the page.

    Raises:
        MissingDependencyError: the extra `web` is not installed.
        ArtifactError: a run holds no export.
        ServerError: nothing can listen at this host and port.
    """
    try:
        import uvicorn

        from m2trec_merlin.web.app import LOOPBACK_NAMES, build_app
    except ImportError as error:
        raise MissingDependencyError(
            f"{error.name} is not installed, which the page needs: pip install 'm2trec-merlin[web]'"
        ) from None
    with _listening(host, port) as listener:
        versions = {name: load(run) for name, run in zip(_names(runs), runs, strict=True)}
        hosts = ["*"] if host == _EVERYWHERE else [host, *LOOPBACK_NAMES]
        app = build_app(versions, hosts)
        if not is_loopback(host):
            progress.say(
                f"Anybody who reaches {host} can use the page, and what is sent can be read on the way: "
                "leave --host out to keep it on this machine"
            )
        shown = LOCALHOST if host == _EVERYWHERE else host
        progress.say(f"Open http://{shown}:{listener.getsockname()[1]}   Stop with Ctrl-C")
        settings = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
        # After it has stopped, uvicorn raises the signal that stopped it once more.
        with suppress(KeyboardInterrupt):
            uvicorn.Server(settings).run(sockets=[listener])
        progress.say("The page is closed.")


def _names(runs: Sequence[Path]) -> list[str]:
    """Return the names of runs on the page: those of folders or files, or all paths if two are equal."""
    named = [run.absolute().parent if run.name == "triton" else run.absolute() for run in runs]
    names = [run.stem if run.is_file() else run.name for run in named]
    return names if len(set(names)) == len(names) else [str(run) for run in runs]


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise ServerError(
            f"the page cannot be shown at {host}:{port} ({error.strerror}): choose another --port, or --host"
        ) from None

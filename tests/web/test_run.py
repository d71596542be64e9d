from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from m2trec_merlin.errors import ArtifactError, MissingDependencyError, ServerError
from m2trec_merlin.progress import Lines
from m2trec_merlin.web.run import show_page
from tests.worlds.shop import Shop


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Do all but wait for requests; what a person is told."""
    lines: list[str] = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda server, sockets: lines.append(_listens(sockets)))
    return lines


def _listens(sockets: list[socket.socket]) -> str:
    return "{}:{}".format(*sockets[0].getsockname())


def test_it_listens_on_this_machine_and_says_where(shop: Shop, said: list[str]) -> None:
    show_page([shop.config.directory], "127.0.0.1", 0, Lines(said.append))
    told, listens, closed = said
    assert told == f"Open http://{listens}   Stop with Ctrl-C" and listens.startswith("127.0.0.1:")
    assert closed == "The page is closed."


def test_other_hosts_are_warned_of(shop: Shop, said: list[str]) -> None:
    show_page([shop.repository], "0.0.0.0", 0, Lines(said.append))
    assert said[0].startswith("Anybody who reaches 0.0.0.0 can use the page")
    assert said[1].startswith("Open http://127.0.0.1:") and said[2].startswith("0.0.0.0:")


@pytest.mark.parametrize(
    ("second", "names"),
    [("other", ["shop", "other"]), ("elsewhere/shop", ["{}/shop", "{}/elsewhere/shop"]), (None, ["shop"])],
)
def test_versions_are_called_as_their_folders_if_that_tells_them_apart(
    shop: Shop,
    said: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    second: str | None,
    names: list[str],
) -> None:
    runs = [tmp_path / name for name in ("shop", second) if name is not None]
    for run in runs:
        run.parent.mkdir(exist_ok=True)
        run.symlink_to(shop.config.directory)
    found: list[Any] = []
    build = "m2trec_merlin.web.app.build_app"
    monkeypatch.setattr(build, lambda versions, hosts: found.append((list(versions), hosts)))
    show_page(runs, "127.0.0.2", 0, Lines(said.append))
    assert found == [([name.format(tmp_path) for name in names], ["127.0.0.2", "localhost", "127.0.0.1"])]


def test_what_is_in_the_way_is_named(shop: Shop, said: list[str], tmp_path: Path) -> None:
    run, lines = shop.config.directory, Lines(said.append)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match=rf"at 127.0.0.1:{port} \(Address already in use"):
            show_page([run], "127.0.0.1", port, lines)
    with pytest.raises(ServerError, match=r"at no such host:0 \(.+\): choose another --port, or --host"):
        show_page([run], "no such host", 0, lines)
    with pytest.raises(ArtifactError, match="run `m2trec export` first"):
        show_page([run, tmp_path], "127.0.0.1", 0, lines)
    assert said == []


@pytest.mark.parametrize("missing", ["uvicorn", "starlette"])
def test_without_the_extra_it_says_what_to_install(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for name in [name for name in sys.modules if name.startswith("m2trec_merlin.web.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.split(".")[0] == missing]:
        monkeypatch.setitem(sys.modules, name, None)
    from m2trec_merlin.web.run import show_page as fresh

    with pytest.raises(MissingDependencyError, match=rf"{missing}.*: pip install 'm2trec-merlin\[web\]'"):
        fresh([shop.config.directory], "127.0.0.1", 0, Lines())


def test_the_command_shows_the_page_until_it_is_stopped(shop: Shop) -> None:
    command = [sys.executable, "-m", "m2trec_merlin", "try", str(shop.config.directory), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            address = process.stdout.readline().split()[1]
            with urllib.request.urlopen(address) as response:
                assert response.status == 200 and b"<title>Try sessions</title>" in response.read()
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0, process.stderr.read()
        assert process.stdout.read() == "The page is closed.\n"

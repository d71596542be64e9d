from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import HealthCheck, settings

from m2trec_merlin.merlin_adapter import prepare_merlin

# Before anything of Merlin or Dask, whatever a test imports first.
prepare_merlin()

from m2trec_merlin.serving.export import onnx_files  # noqa: E402
from tests.worlds.graphs import written_once  # noqa: E402
from tests.worlds.raw_run import configure, tiny, write  # noqa: E402
from tests.worlds.tables import events, items, make_config  # noqa: E402

# No test fails for the time that it takes: machines are shared.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

if TYPE_CHECKING:
    from tests.worlds.shop import Shop

__all__ = ["configure", "events", "items", "make_config", "tiny", "write"]


@pytest.fixture(autouse=True, scope="session")
def as_nice_as_before() -> Iterator[None]:
    """Commands that give way to a server would leave the tests after them behind."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("os.setpriority", lambda which, who, niceness: None)
        yield


@pytest.fixture(autouse=True, scope="session")
def graphs_written_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """See `tests.worlds.graphs`."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    (folder := folder / "graphs").mkdir(exist_ok=True)
    place = "m2trec_merlin.serving.export.graphs.write_graph"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(place, written_once(onnx_files.write_graph, folder))
        yield


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A whole run, which tests must leave as it is."""
    from m2trec_merlin.serving.export.run import export
    from tests.worlds.shop import UNPLAIN, Shop, build_shop

    folder = tmp_path_factory.mktemp("shop") / UNPLAIN
    folder.mkdir()
    config, catalogue, model = build_shop(folder)
    return Shop(config, catalogue, model, export(config))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put slow files first, so that no worker is left with one; skip GPU tests without a GPU, and say so."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    if torch.cuda.is_available():
        return
    reason = pytest.mark.skip(reason="needs a CUDA device, and torch finds none")
    for item in items:
        # Not `item.keywords`, which hold the names of folders, too.
        if item.get_closest_marker("gpu"):
            item.add_marker(reason)

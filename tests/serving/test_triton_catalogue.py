"""The catalogue changes under the real Triton, while requests keep coming."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from m2trec_merlin.contract.catalogue import catalogue_folder
from m2trec_merlin.errors import M2TRecError
from m2trec_merlin.serving.catalogue.run import CatalogueVerbs
from m2trec_merlin.serving.client import RecommendationClient
from m2trec_merlin.serving.client.answers import Recommendations
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.process import TritonServer
from tests.serving.catalogue.test_run import NEW
from tests.worlds.shop import N_ITEMS, Shop

pytestmark = pytest.mark.triton


class Asking:
    """A client that asks without a pause; keeps what was answered, and what failed."""

    def __init__(self, address: str) -> None:
        self.answers: list[Recommendations] = []
        self.failed: list[M2TRecError] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, args=(address,))
        self._thread.start()

    def _ask(self, address: str) -> None:
        with RecommendationClient(address, retry=False) as client:
            while not self._over.is_set():
                try:
                    self.answers.append(client.recommend(["sku-1", "new-0-1", "sku-4"], top_k=N_ITEMS + 100))
                except M2TRecError as error:
                    self.failed.append(error)

    def stop(self) -> None:
        self._over.set()
        self._thread.join()


def until(ask: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not ask():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def items(version: int) -> pd.DataFrame:
    return NEW.assign(item_id=[f"new-{version}-{number}" for number in range(len(NEW))])


def test_items_come_and_go_under_load_and_no_request_fails(shop: Shop, tmp_path: Path) -> None:
    repository = Path(shutil.copytree(shop.repository, tmp_path / "triton"))
    verbs = CatalogueVerbs(repository)
    with (
        TritonServer(repository, Ports.free()) as server,
        RecommendationClient(server.grpc_address) as client,
    ):

        def served(version: int) -> bool:
            return client.recommend(["sku-1"]).about.catalogue == str(version)

        asking = [Asking(server.grpc_address) for _ in range(2)]
        for version in range(5):
            items(version).to_parquet(tmp_path / "new.parquet", index=False)
            assert verbs.add(tmp_path / "new.parquet").number == version + 1
            until(lambda version=version: served(version + 1))  # type: ignore[misc]
        answer = client.recommend(["new-4-0"], top_k=N_ITEMS + 100)
        assert {"new-0-0", "new-4-2"} <= set(answer.item_ids) and not any(
            "new-4-0" in w for w in answer.warnings
        )
        # One that is damaged is not taken up.
        broken = catalogue_folder(repository) / "6"
        shutil.copytree(catalogue_folder(repository) / "5", broken)
        (broken / "biases.npy").unlink()
        verbs.versions.lead_to(6)
        time.sleep(1.5)
        assert served(5)
        verbs.rollback(2)
        until(lambda: served(2))
        verbs.rollback(0)
        until(lambda: served(0))
        for each in asking:
            each.stop()
    assert [each.failed for each in asking] == [[], []]
    answers = [answer for each in asking for answer in each.answers]
    assert {answer.about.catalogue for answer in answers} == {"0", "1", "2", "3", "4", "5"}
    for answer in answers:
        # Every answer is of one version, from the ids of its session to what it recommends.
        known = int(answer.about.catalogue)
        new = {item_id for item_id in answer.item_ids if item_id.startswith("new")}
        assert new == {item_id for version in range(known) for item_id in items(version).item_id}
        assert any("new-0-1" in warning for warning in answer.warnings) == (known == 0)

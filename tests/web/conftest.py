from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from m2trec_merlin.library.local import LocalRecommender
from m2trec_merlin.serving.client import Recommendations, SessionItem
from tests.worlds.shop import Shop


class WithoutPopularity(LocalRecommender):
    """Stands for a second version: other answers to the same requests."""

    def answer(self, session: Sequence[SessionItem], options: Mapping[str, Any]) -> Recommendations:
        return super().answer(session, {"popularity": 0, **options})


@pytest.fixture(scope="session")
def versions(shop: Shop) -> dict[str, LocalRecommender]:
    return {"today": LocalRecommender(shop.repository), "tomorrow": WithoutPopularity(shop.repository)}

from __future__ import annotations

import pytest

import m2trec_merlin as m2trec
from tests.worlds.shop import Shop


@pytest.fixture(scope="session")
def recommender(shop: Shop) -> m2trec.LocalRecommender:
    return m2trec.load(shop.config.directory)

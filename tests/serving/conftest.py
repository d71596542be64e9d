from __future__ import annotations

import pytest

from m2trec_merlin.serving.export.run import export
from tests.worlds.shop import Shop, build_shop


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    config, catalogue, model = build_shop(tmp_path_factory.mktemp("shop"))
    return Shop(config, catalogue, model, export(config))

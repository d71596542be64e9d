from __future__ import annotations

import pytest
import torch

from m2trec_merlin.model.storage import save_model
from m2trec_merlin.serving.export.run import export
from tests.worlds.rewritten import as_if_written
from tests.worlds.shop import Shop, build_shop


@pytest.fixture(scope="session")
def other_shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The same catalogue as the shop's, and a model that answers otherwise."""
    folder = tmp_path_factory.mktemp("other_shop")
    config, catalogue, model = build_shop(folder)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(-1.5)
    save_model(model, folder / "model", config, catalogue)
    as_if_written(folder / "model")
    return Shop(config, catalogue, model, export(config))

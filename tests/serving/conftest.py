from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.model.m2trec import M2TRec
from m2trec_merlin.serving.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.serving.export.repository import version_folder
from m2trec_merlin.serving.export.run import export
from tests.serving.shop import build_shop


@dataclass(frozen=True)
class Shop:
    config: Config
    catalogue: Catalogue
    model: M2TRec
    repository: Path

    @property
    def preprocess(self) -> Path:
        return version_folder(self.repository, PREPROCESS)

    @property
    def predict(self) -> Path:
        return version_folder(self.repository, PREDICT)

    @property
    def workflow(self) -> Path:
        return self.config.directory / "preprocessed" / "items_workflow"


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    config, catalogue, model = build_shop(tmp_path_factory.mktemp("shop"))
    return Shop(config, catalogue, model, export(config))

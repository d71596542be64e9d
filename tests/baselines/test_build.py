from pathlib import Path

import pytest
from pydantic import ValidationError

from m2trec_merlin.baselines import BASELINES, build_baseline
from m2trec_merlin.config import EvaluationConfig
from tests.worlds.checkerboard import checkerboard


def test_the_configuration_knows_the_baselines_by_the_table() -> None:
    assert EvaluationConfig(baselines=list(BASELINES)).baselines == list(BASELINES)
    with pytest.raises(ValidationError, match="'content_knn'"):
        EvaluationConfig(baselines=["oracle"])


def test_baselines_have_different_names(tmp_path: Path) -> None:
    world = checkerboard(tmp_path)
    built = [build_baseline(name, world.catalogue, world.train) for name in BASELINES]
    assert len({scorer.name for scorer in built}) == len(built)

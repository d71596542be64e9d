from pathlib import Path
from typing import get_args

import pytest

from m2trec_merlin.config import EvaluationConfig
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.evaluation.baselines import BASELINES, build_baseline
from tests.evaluation.worlds import checkerboard


def test_the_configuration_accepts_exactly_the_baselines() -> None:
    annotation = EvaluationConfig.model_fields["baselines"].annotation
    (accepted,) = get_args(annotation)
    assert set(get_args(accepted)) == set(BASELINES)


def test_baselines_have_different_names(tmp_path: Path) -> None:
    world = checkerboard(tmp_path)
    built = [build_baseline(name, world.catalogue, world.train) for name in BASELINES]
    assert len({recommender.name for recommender in built}) == len(built)


def test_an_unknown_baseline_is_refused(tmp_path: Path) -> None:
    world = checkerboard(tmp_path)
    with pytest.raises(ConfigError, match="no baseline 'oracle'; accepted: popularity, session_knn"):
        build_baseline("oracle", world.catalogue, world.train)

from pathlib import Path

import pytest

from m2trec_merlin.config import EvaluationConfig
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.evaluation.baselines import BASELINES, build_baseline, check_baselines
from tests.worlds.checkerboard import checkerboard


def test_there_is_a_baseline_of_every_name_in_the_configuration() -> None:
    assert set(EvaluationConfig().baselines) <= set(BASELINES)


def test_unknown_names_are_refused_together() -> None:
    check_baselines(BASELINES)
    with pytest.raises(ConfigError, match=r"evaluation\.baselines: no baseline 'oracle', 'luck'; accepted"):
        check_baselines(["oracle", "popularity", "luck"])


def test_baselines_have_different_names(tmp_path: Path) -> None:
    world = checkerboard(tmp_path)
    built = [build_baseline(name, world.catalogue, world.train) for name in BASELINES]
    assert len({scorer.name for scorer in built}) == len(built)


def test_an_unknown_baseline_is_refused(tmp_path: Path) -> None:
    world = checkerboard(tmp_path)
    with pytest.raises(ConfigError, match="no baseline 'oracle'; accepted: popularity, session_knn"):
        build_baseline("oracle", world.catalogue, world.train)

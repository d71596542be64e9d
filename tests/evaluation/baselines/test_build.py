from pathlib import Path
from typing import get_args

from m2trec_merlin.config.evaluation import Baseline
from m2trec_merlin.evaluation.baselines import BASELINES, build_baseline
from tests.worlds.checkerboard import checkerboard


def test_there_is_a_baseline_of_every_name_in_the_configuration() -> None:
    assert set(BASELINES) == set(get_args(Baseline))


def test_baselines_have_different_names(tmp_path: Path) -> None:
    world = checkerboard(tmp_path)
    built = [build_baseline(name, world.catalogue, world.train) for name in BASELINES]
    assert len({scorer.name for scorer in built}) == len(built)

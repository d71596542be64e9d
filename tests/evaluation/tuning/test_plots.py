import pytest

from m2trec_merlin.evaluation.tuning.mixtures import Point
from m2trec_merlin.evaluation.tuning.plots import plot_frontier
from m2trec_merlin.neighbours.weights import Weights


def test_the_frontier_shows_the_kinds_of_targets_that_were_measured() -> None:
    def named(new: float | None) -> str:
        first, last = Point(Weights(), 0.2, 0.1, 0.01, new), Point(Weights(), 0.1, 0.1, 0.05, new)
        return plot_frontier([first, last], {"model alone": last, "chosen": first})

    assert "rare, chosen" in named(0.1) and "new, model alone" in named(0.1)
    assert "rare, chosen" in named(None) and "new" not in named(None)


@pytest.mark.filterwarnings("error::UserWarning")
def test_a_frontier_of_which_nothing_was_measured_is_drawn_without_a_word() -> None:
    nothing = Point(Weights(), 0.2, 0.1, None, None)
    assert "rare" not in plot_frontier([nothing], {"model alone": nothing, "chosen": nothing})

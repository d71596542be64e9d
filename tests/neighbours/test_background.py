import numpy as np

from m2trec_merlin.neighbours.background import (
    arbitrary_order,
    popularity_share,
    sessions_repeat_items,
)
from m2trec_merlin.sessions import Sessions
from tests.worlds.checkerboard import make_catalogue


def test_popularity_share_is_logarithmic() -> None:
    share = popularity_share(make_catalogue([99, 9, 0]))
    np.testing.assert_allclose(share, [0, 1, 0.5, 0], rtol=1e-6)
    assert (popularity_share(make_catalogue([0, 0])) == 0).all()


def test_arbitrary_order_belongs_to_the_id() -> None:
    forth = arbitrary_order(make_catalogue([1, 1, 1], item_ids=[7, 8, 9]))
    back = arbitrary_order(make_catalogue([1, 1, 1], item_ids=[9, 8, 7]))
    np.testing.assert_array_equal(forth[1:], back[:0:-1])
    assert len(set(forth)) == 4
    assert ((forth >= 0) & (forth <= 1)).all()


def test_repeats_are_looked_for_within_sessions_only() -> None:
    assert not sessions_repeat_items(Sessions.from_lists([[1, 2, 3], [1, 2, 3], [3]]))
    assert sessions_repeat_items(Sessions.from_lists([[1, 2, 1], [4, 5]]))
    assert not sessions_repeat_items(Sessions.from_lists([[1, 1], *[[1, 2, 3]] * 100]))
    assert not sessions_repeat_items(Sessions.from_lists([]))

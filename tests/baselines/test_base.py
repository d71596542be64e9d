import numpy as np

from m2trec_merlin.baselines.base import arbitrary_order
from tests.worlds.checkerboard import make_catalogue


def test_arbitrary_order_belongs_to_the_id() -> None:
    forth = arbitrary_order(make_catalogue([1, 1, 1], item_ids=[7, 8, 9]))
    back = arbitrary_order(make_catalogue([1, 1, 1], item_ids=[9, 8, 7]))
    np.testing.assert_array_equal(forth[1:], back[:0:-1])
    assert len(set(forth)) == 4
    assert ((forth >= 0) & (forth <= 1)).all()

import numpy as np

from m2trec_merlin.neighbours.popularity import popularity_share


def test_popularity_share_is_logarithmic() -> None:
    share = popularity_share(np.array([0, 99, 9, 0]))
    np.testing.assert_allclose(share, [0, 1, 0.5, 0], rtol=1e-6)
    assert (popularity_share(np.zeros(3, np.int64)) == 0).all()

import numpy as np

from m2trec_merlin.evaluation.bootstrap import session_intervals


def test_equal_values_have_an_interval_of_no_width() -> None:
    low, high = session_intervals(np.full((6, 1), 0.25), np.array([0, 0, 1, 1, 2, 2]), 50, seed=0)
    assert low.tolist() == high.tolist() == [0.25]


def test_intervals_are_seeded_and_around_the_mean() -> None:
    generator = np.random.default_rng(0)
    values, session = generator.random((300, 2)), np.repeat(np.arange(100), 3)
    first, second = (session_intervals(values, session, 200, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (first[0] < values.mean(axis=0)).all()
    assert (values.mean(axis=0) < first[1]).all()
    assert (np.array(first) != np.array(session_intervals(values, session, 200, seed=5))).any()


def test_interval_of_independent_sessions_agrees_with_the_normal_approximation() -> None:
    values = np.random.default_rng(1).binomial(1, 0.3, size=(2000, 1)).astype(float)
    low, high = session_intervals(values, np.arange(2000), 1000, seed=0)
    half_width = 1.96 * values.std() / np.sqrt(2000)
    np.testing.assert_allclose(high - low, 2 * half_width, rtol=0.12)


def test_prefixes_of_one_session_are_not_counted_as_independent() -> None:
    per_session = np.random.default_rng(2).random(100)
    alone = session_intervals(per_session[:, None], np.arange(100), 500, seed=0)
    copied = session_intervals(np.repeat(per_session, 9)[:, None], np.repeat(np.arange(100), 9), 500, seed=0)
    np.testing.assert_allclose(copied, alone)


def test_the_true_mean_is_covered_about_as_often_as_promised() -> None:
    generator = np.random.default_rng(3)
    covered = 0
    for trial in range(200):
        # Sessions differ in length, and in how predictable they are.
        lengths = generator.integers(1, 6, 80)
        easy = generator.random(80)
        values = generator.binomial(1, np.repeat(easy, lengths)).astype(float)
        low, high = session_intervals(values[:, None], np.repeat(np.arange(80), lengths), 200, seed=trial)
        covered += bool(low[0] <= 0.5 <= high[0])
    assert 0.88 <= covered / 200 <= 0.99


def test_values_that_were_not_measured_are_left_out() -> None:
    values = np.array([[1.0, np.nan], [np.nan, np.nan], [1.0, np.nan]])
    low, high = session_intervals(values, np.array([0, 0, 1]), 20, seed=0)
    assert (low[0], high[0]) == (1.0, 1.0)
    assert np.isnan([low[1], high[1]]).all()


def test_no_samples_or_no_values_give_no_interval() -> None:
    for values, samples in ((np.ones((3, 2)), 0), (np.ones((0, 2)), 10)):
        low, high = session_intervals(values, np.arange(len(values)), samples, seed=0)
        assert np.isnan([*low, *high]).all()
        assert low.shape == (2,)

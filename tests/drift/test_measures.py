"""What counts as drift: distances beyond chance, and shares that grow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.drift.measures import Difference, Limits, compare_samples
from m2trec_merlin.drift.page import to_html
from m2trec_merlin.drift.result import Drift, in_words
from m2trec_merlin.drift.sample import Sample
from m2trec_merlin.encoded import NO_ITEM, OUT_OF_VOCABULARY, EncodedColumn, Field, Layout
from m2trec_merlin.sessions import Sessions

FIELDS = {
    "brand": Field("brand", Layout.IDS, 7),
    "tags": Field("tags", Layout.ID_LISTS, 6),
    "price": Field("price", Layout.NUMBERS),
    "picture": Field("picture", Layout.VECTORS, 2),
}


def items(brands: list[int]) -> dict[str, EncodedColumn]:
    """Items of these brands, by which all else goes."""
    ids = np.array(brands)
    return {
        "brand": EncodedColumn(FIELDS["brand"], ids),
        "tags": EncodedColumn(
            FIELDS["tags"], np.repeat(ids.clip(max=5), 2), np.arange(0, 2 * len(ids) + 1, 2)
        ),
        "price": EncodedColumn(FIELDS["price"], ids.astype(np.float32)),
        "picture": EncodedColumn(FIELDS["picture"], np.stack([ids, -ids], 1).astype(np.float32)),
    }


#: Four items of the brands 3 to 6, the last one never trained on; NO_ITEM before them.
CATALOGUE = Catalogue(np.arange(5), np.array([0, 9, 9, 9, 0]), items([1, 3, 4, 5, 6]))


def sample(
    sessions: list[list[int]], brands: tuple[int, ...] = (3, 4, 5), rows: tuple[int, ...] = (1, 2, 3)
) -> Sample:
    return Sample(Sessions.from_lists(sessions), items(list(brands)), np.array(rows))


def draw(count: int, shares: list[float], seed: int, length: int = 4) -> list[list[int]]:
    random = np.random.default_rng(seed)
    return [random.choice(len(shares), size=length, p=shares).tolist() for _ in range(count)]


DEFAULTS = Limits()


def nameless(attribute: str) -> None:
    return None


def as_they_are(attribute: str, encoded: np.ndarray) -> np.ndarray:
    return encoded


def differences(trained: Sample, new: Sample, limits: Limits = DEFAULTS) -> dict[tuple[str, str], Difference]:
    found = compare_samples(trained, new, CATALOGUE, nameless, as_they_are, limits, seed=0)
    return {(each.what, each.measure): each for each in found}


TRAINED = sample(draw(2000, [0.5, 0.3, 0.2], seed=0))


def test_another_draw_of_the_same_is_no_drift() -> None:
    found = differences(TRAINED, sample(draw(50, [0.5, 0.3, 0.2], seed=1)))
    assert not any(each.is_drift for each in found.values())
    assert {what for what, _ in found} == {"items", *FIELDS, "session length", "popularity of items"}


def test_the_fewer_sessions_the_more_chance_explains() -> None:
    few, many = (
        differences(TRAINED, sample(draw(count, [0.5, 0.3, 0.2], seed=1)))["brand", "distance"].chance
        for count in (10, 1000)
    )
    assert few > 3 * many > 0


def test_other_shares_of_values_are_drift_and_the_values_are_named() -> None:
    found = differences(TRAINED, sample(draw(500, [0.1, 0.2, 0.7], seed=1)))
    for what in ("brand", "tags", "price", "picture", "popularity of items"):
        assert found[what, "distance"].is_drift, what
    name, then, now = found["brand", "distance"].values[0]
    assert name == "id 5"
    assert (then, now) == (pytest.approx(0.2, abs=0.02), pytest.approx(0.7, abs=0.03))


def test_distances_are_those_of_jensen_and_shannon() -> None:
    """Of (1/2, 1/2) and (1, 0): sqrt(1/2 (1 log 4/3 + (1/2 log 2/3 + 1/2 log 2)))."""
    half = sample([[0, 1]] * 100)
    found = differences(half, sample([[0, 0]] * 10))["brand", "distance"]
    expected = np.sqrt((np.log2(4 / 3) + np.log2(2 / 3) / 2 + 1 / 2) / 2)
    assert found.new == pytest.approx(expected)
    assert found.chance == 0


@pytest.mark.parametrize("usual", [3, 4, 5])
@pytest.mark.parametrize("now", [2, 6])
def test_numbers_beyond_the_trained_ones_are_drift_on_either_side(usual: int, now: int) -> None:
    """Also where one number is that of nearly all."""
    shares = [0.98 if brand == usual else 0.01 for brand in (3, 4, 5)]
    trained = sample(draw(2000, shares, seed=0))
    moved = tuple(now if brand == usual else brand for brand in (3, 4, 5))
    found = differences(trained, sample(draw(2000, shares, seed=1), moved))
    assert found["price", "distance"].is_drift
    assert not differences(trained, sample(draw(2000, shares, seed=1)))["price", "distance"].is_drift


def test_bins_of_numbers_are_named_by_those_of_the_column() -> None:
    now = sample(draw(500, [0.1, 0.2, 0.7], seed=1), (3, 4, 6))
    found = compare_samples(TRAINED, now, CATALOGUE, nameless, lambda _, n: 100 * n + 7, DEFAULTS, seed=0)
    values = {each.what: [name for name, *_ in each.values] for each in found}
    assert values["price"][0] == "above 507"
    assert all(name.endswith(" along their main direction") for name in values["picture"])


def test_numbers_that_most_events_have_are_told_apart() -> None:
    prices = EncodedColumn(FIELDS["price"], np.arange(100, dtype=np.float32))
    catalogue = Catalogue(np.arange(101), np.ones(101, np.int64), {"price": prices})
    # Nine of ten events have one of the ten lowest prices.
    shares = np.repeat([0.9 / 10, 0.1 / 90], [10, 90])
    lowest = np.repeat([0.9 / 3, 0, 0.1 / 90], [3, 7, 90])
    of = [
        Sample(Sessions.from_lists(draw(1000, each.tolist(), seed)), {"price": prices}, np.arange(1, 101))
        for seed, each in enumerate([shares, shares, lowest])
    ]
    same, other = (
        compare_samples(of[0], new, catalogue, nameless, as_they_are, DEFAULTS, 0) for new in of[1:]
    )
    assert [each.is_drift for found in (same, other) for each in found if each.what == "price"] == [
        False,
        True,
    ]


def test_attributes_are_left_out_where_there_is_nothing_to_compare() -> None:
    found = compare_samples(
        TRAINED, TRAINED, CATALOGUE, nameless, as_they_are, DEFAULTS, 0, without=["tags", "price"]
    )
    assert {each.what for each in found} == {
        "items",
        "brand",
        "picture",
        "session length",
        "popularity of items",
    }


def test_longer_sessions_are_drift() -> None:
    found = differences(TRAINED, sample(draw(500, [0.5, 0.3, 0.2], seed=1, length=9)))
    assert found["session length", "distance"].new == pytest.approx(1)
    assert found["session length", "distance"].values[0][0] in ("4", "more than 4")


def test_shares_count_events() -> None:
    """Half of the events are of an unknown item, a quarter of one that was never trained on."""
    new = sample([[0, 1], [1, 2]], brands=(3, OUT_OF_VOCABULARY, 6), rows=(1, NO_ITEM, 4))
    found = differences(TRAINED, new)
    assert found["items", "not in the catalogue"].new == 0.5
    assert found["items", "never trained on"].new == 0.75
    assert found["brand", "unseen values"].new == 0.5
    assert found["brand", "missing"].new == 0
    assert found["items", "not in the catalogue"].trained == 0
    assert found["items", "not in the catalogue"].is_drift
    lenient = differences(TRAINED, new, Limits(share=0.5))
    assert not lenient["items", "not in the catalogue"].is_drift
    assert lenient["items", "never trained on"].is_drift


def test_as_many_new_items_as_rare_ones_are_no_drift() -> None:
    """Of 12 training events three are of items that occur once: a quarter of the new ones may be new."""
    rare = Catalogue(np.arange(6), np.array([0, 9, 1, 1, 1, 0]), items([1, 3, 4, 5, 6, 6]))
    new = sample([[0, 0, 0, 1]] * 5, brands=(3, 6), rows=(1, 5))
    found = {
        d.measure: d
        for d in compare_samples(TRAINED, new, rare, nameless, as_they_are, Limits(share=0.01), seed=0)
    }
    assert (found["never trained on"].new, found["never trained on"].chance) == (0.25, 0.25)
    assert not found["never trained on"].is_drift


def test_the_page_names_what_has_drifted_first_and_escapes_values() -> None:
    bad = Difference("brand", "distance", 0.0, 0.4, 0.1, 0.1, [("<b>Acme</b>", 0.1, 0.6)])
    good = Difference("price", "distance", 0.0, 0.1, 0.1, 0.1)
    drift = Drift(Path("new"), Path("model"), 10, 20, [good, bad], Path("report.html"))
    assert drift.found == [bad]
    page = to_html(drift)
    [sentence] = page.split("<ol class=findings>")[1].split("</ol>")[0].split("<li>")[1:]
    assert sentence == f"{in_words(bad)}</li>"
    assert "&lt;b&gt;Acme&lt;/b&gt;" in page and "<b>Acme" not in page
    assert drift.as_dict()["drift"] is True

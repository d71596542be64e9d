"""Numbers that were counted from the events are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.starting.hindsight import counts_of_events
from m2trec_merlin.starting.kinds import choose_kind
from m2trec_merlin.starting.look import Column
from m2trec_merlin.starting.run import examine

RANDOM = np.random.default_rng(3)
EVENTS = np.minimum(RANDOM.zipf(1.3, size=300), 400)
IDS = Column("sku", pd.Series([f"A{i:03d}" for i in range(300)]))
CLICKED = Column("sku", pd.Series(np.repeat(IDS.values.to_numpy(), EVENTS)))


@pytest.mark.parametrize(
    ("name", "values", "is_told"),
    [
        ("ratings_count", EVENTS * 7.3 + RANDOM.integers(3, size=300), True),
        ("price", RANDOM.lognormal(size=300), False),
        ("sales_rank", 1e6 / EVENTS, True),
        ("n_sold", np.minimum(EVENTS, 9), True),
        ("ratings_count", np.where(np.arange(300) < 20, EVENTS + 0.5, np.nan), False),
    ],
)
def test_numbers_that_follow_the_events(name: str, values: np.ndarray, is_told: bool) -> None:
    choice = choose_kind(Column(name, pd.Series(values)), IDS)
    assert choice.kind == ("categorical" if name == "n_sold" else "numeric")
    told = "".join(counts_of_events([choice], IDS, CLICKED))
    assert told.startswith(f"'{name}' follows how many events an item has") is (told != "") is is_told


def test_they_are_among_what_init_is_unsure_of(tmp_path: Path) -> None:
    items = pd.DataFrame({"sku": IDS.values, "name": "a lamp", "colour": ["red", "blue", "old"] * 100})
    items.assign(sold=EVENTS * 1.5).to_csv(tmp_path / "items.csv", index=False)
    clicks = pd.DataFrame({"sku": CLICKED.values.sample(frac=1, random_state=1).to_numpy()})
    clicks.assign(session=clicks.index // 4).to_csv(tmp_path / "clicks.csv", index=False)
    unsure = examine(tmp_path / "clicks.csv", tmp_path / "items.csv").unsure
    assert [line for line in unsure if line.startswith("'sold' follows how many events an item has")]

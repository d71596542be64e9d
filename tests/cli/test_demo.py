from __future__ import annotations

from pathlib import Path

import pytest

from m2trec_merlin.cli.demo import example_new_item, example_session, new_item_row, next_commands
from m2trec_merlin.cli.remedies import remember
from m2trec_merlin.config import Config
from m2trec_merlin.preprocessing.run import preprocess


def test_a_new_item_is_described_as_the_raw_table_calls_its_columns(tiny: Config) -> None:
    """The attribute `brand` is the column `maker`; the display table knows it as `brand`."""
    preprocess(tiny)
    item = example_new_item(tiny, like="11")
    assert item == {"title": "new organic Red wine", "maker": 8.0}
    row = new_item_row(tiny, like="11")
    assert len(row) == 1 and {**item, "item_id": "new-1"}.items() <= row.iloc[0].to_dict().items()
    assert example_session(tiny) == ["10", "14", "13"]


@pytest.mark.parametrize(("ids", "new_id"), [("maker", "new-1"), ("title", "new organic Red wine")])
def test_a_new_item_has_an_id_of_its_own_where_an_attribute_reads_the_ids(
    tiny: Config, ids: str, new_id: str
) -> None:
    preprocess(tiny)
    row = new_item_row(tiny, "11", ids).iloc[0].to_dict()
    assert row[ids] == new_id and row["title"] == "new organic Red wine"


def test_what_can_be_done_next_has_the_options_of_the_call(tiny: Config) -> None:
    remember(Path("my shop.yaml"), ["seed=1"], "metrec")
    try:
        *_, serve = next_commands(tiny)
    finally:
        remember(None, [], None)
    options = "-c 'my shop.yaml' -s seed=1"
    assert serve.startswith(f"m2trec serve {options} --variant metrec  ")
    assert serve.endswith(f": m2trec recommend {options} ITEM_ID ...)")

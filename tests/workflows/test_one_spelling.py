"""A value of the catalogue and the same value in a request are one, whatever file the catalogue came from."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.attributes.categories import Categories
from m2trec_merlin.attributes.operators import find_operator
from m2trec_merlin.data.tables import canonical_items
from m2trec_merlin.encoded import FIRST_VALUE, MISSING
from m2trec_merlin.merlin_adapter import dataset_of_parts
from m2trec_merlin.readers.files.table_file import TableFile
from m2trec_merlin.serving.runtime.catalogue.item_table import TextColumn
from m2trec_merlin.workflows.items import encode_items, items_workflow

ATTRIBUTES = [
    parse_attribute(name="one", kind="categorical", column="raw"),
    parse_attribute(name="several", kind="multi_categorical", column="raw"),
]
BIG = 2**53 + 1
DAY, MOMENT = pd.Timestamp("2024-01-05"), pd.Timestamp("2024-01-05 10:00:00.5")

#: The value in a Parquet column of each type, as a CSV file may say it, and as JSON may; all one value.
VALUES: dict[str, tuple[list[pa.Array], list[str], list[Any]]] = {
    "whole number": (
        [
            *(pa.array([2024, None], kind) for kind in (pa.int16(), pa.int64(), pa.uint64(), pa.float64())),
            pa.array([Decimal("2024.00"), None], pa.decimal128(20, 2)),
            pa.array([2024.0, None], pa.float32()),
            pa.array(["2024", None]).dictionary_encode(),
        ],
        ["2024", "2024.0", " 2024 ", "2.024e3"],
        [2024, 2024.0, "2024", "2024.0"],
    ),
    "fraction": (
        [
            *(pa.array([12.1, None], kind) for kind in (pa.float64(), pa.float32())),
            pa.array([Decimal("12.10"), None], pa.decimal128(38, 10)),
        ],
        ["12.1", "12.10", "1.21e1"],
        [12.1, "12.1", "12.10"],
    ),
    "beyond floats": (
        [pa.array([BIG, None]), pa.array([Decimal(BIG), None], pa.decimal128(38, 4))],
        [str(BIG), f"{BIG}.0"],
        [BIG, str(BIG)],
    ),
    "large float": ([pa.array([1e17, None])], ["1e+17", "1" + "0" * 17, "1e17"], [1e17, 10**17]),
    "nothing": ([pa.array([-0.0, None]), pa.array([0, None])], ["0", "-0.0", "0.00"], [0, -0.0, "0"]),
    "truth": ([pa.array([True, None])], ["true", "True", "TRUE"], [True, "true", "True"]),
    "day": (
        [
            pa.array([DAY.date(), None], pa.date32()),
            *(pa.array([DAY, None], pa.timestamp(unit)) for unit in ("s", "ms", "us", "ns")),
            pa.array([DAY.tz_localize("UTC"), None], pa.timestamp("us", "UTC")),
        ],
        ["2024-01-05", "2024-01-05 00:00:00", "2024-01-05T00:00:00Z", "2024-01-05T02:00:00+02:00"],
        ["2024-01-05", "2024-01-05T00:00:00.000Z"],
    ),
    "moment": (
        [
            pa.array([MOMENT, None], pa.timestamp("ms")),
            pa.array([MOMENT.tz_localize("UTC"), None], pa.timestamp("ns", "Europe/Berlin")),
        ],
        ["2024-01-05 10:00:00.5", "2024-01-05T10:00:00.500+00:00"],
        ["2024-01-05T10:00:00.500Z", "2024-01-05 11:00:00.5+01:00"],
    ),
    "leading zeros": ([pa.array(["007", None])], ["007"], ["007"]),
    "composed letters": ([pa.array(["cafe\u0301", None])], ["caf\u00e9", "cafe\u0301"], ["cafe\u0301"]),
    "white space": ([pa.array(["12\u00a0GB", None])], ["12 GB", " 12  GB"], ["12\u00a0GB"]),
}


@pytest.fixture
def fit(tmp_path: Path):
    """Return the workflow of an items file, and the values to filter by, as the steps of a run make them."""

    def fit(path: Path):
        raw = TableFile(path).read()
        raw["item_id"] = range(len(raw))
        items = canonical_items(raw, ATTRIBUTES)
        items.to_parquet(tmp_path / "items.parquet", index=False)
        workflow = items_workflow(ATTRIBUTES, tmp_path / "vocabularies")
        workflow.fit(dataset_of_parts([tmp_path / "items.parquet"], ["item_id", "raw"]))
        display = pq.read_table(tmp_path / "items.parquet").to_pandas(integer_object_nulls=True)["raw"]
        return workflow, [attribute.filter_values(display) for attribute in ATTRIBUTES]

    return fit


def require_met(workflow, filters: list[pa.Array], said: list[Any]) -> None:
    said = [json.loads(json.dumps(value)) for value in said]
    # In one request, beside what would make the column another type; and each alone.
    for values in (said, *([value] for value in said), [*said, None, "x", 1.5, True]):
        encoded = encode_items(workflow, pd.DataFrame({"raw": pd.Series(values, dtype=object)}))
        assert encoded["one"].tolist()[: len(said)] == [FIRST_VALUE] * min(len(values), len(said)), values
        assert [list(ids) for ids in encoded["several"]][: len(said)] == [[FIRST_VALUE]] * min(
            len(values), len(said)
        )
    for column in filters:
        for value in said:
            mask = np.zeros(3, bool)
            unknown = TextColumn(pa.chunked_array([column])).passing(value, mask, np.ones_like(mask))
            assert mask.tolist() == [False, True, False] and not unknown


PARQUET = [(name, number) for name, (columns, _, _) in VALUES.items() for number in range(len(columns))]


@pytest.mark.parametrize(("name", "number"), PARQUET)
def test_a_typed_column_meets_requests(fit, tmp_path: Path, name: str, number: int) -> None:
    columns, _, said = VALUES[name]
    pq.write_table(pa.table({"raw": columns[number]}), tmp_path / "raw.parquet")
    require_met(*fit(tmp_path / "raw.parquet"), said)


CSV = [(name, text) for name, (_, texts, _) in VALUES.items() for text in texts]


@pytest.mark.parametrize(("name", "text"), CSV)
def test_a_column_of_text_meets_requests(fit, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "raw.csv").write_text(f"raw,more\n{text},a\n,b\n", encoding="utf-8")
    require_met(*fit(tmp_path / "raw.csv"), VALUES[name][2])


def test_a_value_alone_is_spelled_as_in_company(fit, tmp_path: Path) -> None:
    pq.write_table(pa.table({"raw": pa.array(["2024-01-05", "12.5", "true"])}), tmp_path / "raw.parquet")
    workflow, _ = fit(tmp_path / "raw.parquet")
    mixed = [datetime.date(2024, 1, 5), Decimal("12.50"), True, None, 10**30, " "]
    encoded = encode_items(workflow, pd.DataFrame({"raw": pd.Series(mixed, dtype=object)}))["one"].tolist()
    assert sorted(encoded[:3]) == [FIRST_VALUE, FIRST_VALUE + 1, FIRST_VALUE + 2]
    assert encoded[3:] == [MISSING, 2, MISSING]


def test_a_vocabulary_of_an_earlier_release_is_still_met(fit, tmp_path: Path) -> None:
    pq.write_table(pa.table({"raw": pa.array(["a", "a", "b"])}), tmp_path / "raw.parquet")
    workflow, _ = fit(tmp_path / "raw.parquet")
    categories = find_operator(workflow, "one", Categories)
    path = categories.categories["one"]
    pd.read_parquet(path).assign(one=["2024.0", "2024"]).to_parquet(path)
    categories._indexes = None
    for said in ("2024.0", "2024", 2024):
        encoded = encode_items(workflow, pd.DataFrame({"raw": pd.Series([said], dtype=object)}))
        assert encoded["one"].tolist() == [FIRST_VALUE]

"""Fitting part by part gives what NVTabular's own fit gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from nvtabular import Workflow
from nvtabular.ops import Normalize

from m2trec_merlin.merlin_adapter import dataset_of_parts
from m2trec_merlin.preprocessing.fitting import fit_workflow
from m2trec_merlin.preprocessing.items import workflow_columns
from m2trec_merlin.preprocessing.workers import Workers
from m2trec_merlin.workflows.items import encode_items, items_workflow
from tests.told import Told
from tests.worlds.raw_run import ITEMS, make_config


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path, rows in zip(paths, (slice(0, 3), slice(3, 5)), strict=True):
        pq.write_table(pa.Table.from_pandas(ITEMS[rows], preserve_index=False), path)
    return paths


def test_workflow_and_schema_are_those_of_nvtabular(parts: list[Path], tmp_path: Path) -> None:
    attributes = make_config(tmp_path).attributes
    columns, told = workflow_columns(attributes), Told()
    ours = fit_workflow(items_workflow(attributes, tmp_path / "ours"), parts, columns, Workers(progress=told))
    theirs = items_workflow(attributes, tmp_path / "theirs").fit(dataset_of_parts(parts, columns))
    assert told.tasks["vocabularies"][-1] == (2, 2, "")
    for name, column in ours.output_schema.column_schemas.items():
        other = theirs.output_schema[name]
        assert (column.dtype, column.shape, column.tags) == (other.dtype, other.shape, other.tags), name
        assert column.properties.get("domain") == other.properties.get("domain"), name
    for name, found in encode_items(ours, ITEMS).items():
        wanted = encode_items(theirs, ITEMS)[name]
        assert [np.asarray(v).tobytes() for v in found] == [np.asarray(v).tobytes() for v in wanted], name


def test_what_was_fitted_before_is_forgotten(parts: list[Path], tmp_path: Path) -> None:
    attributes = [a for a in make_config(tmp_path).attributes if a.name == "brand"]
    workflow = items_workflow(attributes, tmp_path / "vocabularies")
    # Makers 7, 8, 7, then 9 and none.
    for part, known in zip(parts, ([3, 4, 2], [2, 2, 3]), strict=True):
        fit_workflow(workflow, [part], workflow_columns(attributes))
        encoded = encode_items(workflow, pd.DataFrame({"maker": [7.0, 8.0, 9.0]}))
        assert encoded["brand"].tolist() == known


def test_an_operator_that_needs_dask_is_refused(parts: list[Path]) -> None:
    with pytest.raises(TypeError, match="Normalize cannot be fitted part by part"):
        fit_workflow(Workflow(["price"] >> Normalize()), parts, ["price"])

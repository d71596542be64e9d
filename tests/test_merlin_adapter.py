"""Each test names the upstream bug and, where it can, shows that it is still there."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from m2trec_merlin import merlin_adapter
from m2trec_merlin.errors import M2TRecError

merlin_adapter.prepare_merlin()

from distributed import Client  # noqa: E402
from merlin.core.utils import global_dask_client  # noqa: E402
from merlin.io import Dataset  # noqa: E402
from nvtabular import ColumnSelector, Workflow  # noqa: E402
from nvtabular.ops import AddTags, Categorify, ListSlice  # noqa: E402

from m2trec_merlin.attributes.categories import Categories  # noqa: E402
from m2trec_merlin.attributes.multi_categorical import SplitValues  # noqa: E402
from m2trec_merlin.attributes.operators import ConvertColumns  # noqa: E402
from m2trec_merlin.workflows.sessions import LastEvents  # noqa: E402
from tests.frames import keyhole  # noqa: E402


def fitted(operator, frame: pd.DataFrame) -> Workflow:
    workflow = Workflow(list(frame.columns) >> operator)
    return workflow.fit(Dataset(frame))


def test_merlin_core_needs_dask_without_query_planning():
    """Upstream: merlin-core imports dask.dataframe.core; importing the adapter alone loads neither."""
    program = (
        "import sys, m2trec_merlin.merlin_adapter as adapter\n"
        "assert not {'dask', 'nvtabular', 'merlin'} & set(sys.modules)\n"
        "adapter.prepare_merlin()\n"
        "import dask.dataframe as dd\n"
        "print(dd.DataFrame.__module__)\n"
    )
    environment = {**os.environ, "DASK_DATAFRAME__QUERY_PLANNING": "True"}
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "dask.dataframe.core"


NOT_NEEDED = ("torch", "tritonclient", "numba", "distributed")


@pytest.mark.parametrize(
    ("lightly", "before", "within", "after", "imported"),
    [
        (False, "json", "nvtabular", "json", (True, True)),
        (True, "json", "nvtabular", "json", (False, False)),
        (True, "json", "nvtabular", ", ".join(NOT_NEEDED), (False, True)),
        (True, ", ".join(NOT_NEEDED), "nvtabular", "json", (True, True)),
    ],
    ids=["upstream imports them", "lightly", "they can be imported later", "or before"],
)
def test_merlin_imports_what_no_transformation_needs(lightly, before, within, after, imported):
    """Upstream: merlin.dtypes.mappings, merlin.core and nvtabular.ops import what is there of these."""
    program = (
        "import sys, m2trec_merlin.merlin_adapter as adapter\n"
        f"names = {NOT_NEEDED}\n"
        "adapter.prepare_merlin()\n"
        f"import {before}\n"
        f"if {lightly}: adapter.import_lightly()\n"
        "with adapter.importing_merlin():\n"
        f"    import {within}\n"
        "print([name in sys.modules for name in names])\n"
        f"import {after}\n"
        "print([name in sys.modules for name in names])\n"
        "assert all(sys.modules[name].__spec__ for name in names if name in sys.modules)\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str([each] * len(NOT_NEEDED)) for each in imported]


def test_dask_with_query_planning_is_refused(monkeypatch):
    """Upstream: as above, when somebody imported Dask's dataframes first."""
    monkeypatch.setitem(sys.modules, "dask_expr", sys)
    with pytest.raises(M2TRecError, match=r"import m2trec_merlin\.workflows before dask\.dataframe"):
        merlin_adapter.prepare_merlin()


def test_merlin_warns_on_every_cpu():
    """Upstream: merlin.io.Dataset warns that CPU mode is experimental each time it is used."""
    frame = pd.DataFrame({"x": [1]})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Dataset(frame)
    assert any("CPU mode" in str(w.message) for w in caught)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        merlin_adapter.silence_merlin()
        Dataset(frame)
    assert not caught


def test_merlin_picks_up_any_client_of_the_process():
    """Upstream: merlin.core.utils.global_dask_client finds clients that were made for something else."""
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None):
        assert global_dask_client() is not None
        with merlin_adapter.dask_client_for_merlin(None):
            assert global_dask_client() is None


def test_merlin_cuts_files_into_partitions(tmp_path):
    """Upstream: merlin.io.Dataset makes partitions of row groups; a session could be cut in two."""
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path in paths:
        pq.write_table(pa.table({"x": range(100)}), path, row_group_size=10)
    assert Dataset([str(p) for p in paths], engine="parquet", part_size="200B").to_ddf().npartitions > 2
    ours = merlin_adapter.dataset_of_parts(paths, ["x"]).to_ddf()
    assert ours.map_partitions(len).compute(scheduler="synchronous").tolist() == [100, 100]


def test_dask_turns_lists_into_strings(tmp_path):
    """Upstream: with its string conversion on, Dask reads list columns of strings as one string each."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"tags": [["a", "b"]], "n": [1]}), path)
    read = merlin_adapter.dataset_of_parts([path], ["tags", "n"]).to_ddf().compute(scheduler="synchronous")
    assert list(read["tags"][0]) == ["a", "b"]


def test_integers_with_gaps_become_floats(tmp_path):
    """Upstream (pandas): ids beyond 2^53 change when their column has missing values."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": [2**53 + 1, None]}), path)
    assert int(pd.read_parquet(path)["n"][0]) != 2**53 + 1
    read = merlin_adapter.dataset_of_parts([path], ["n"]).to_ddf().compute(scheduler="synchronous")
    assert read["n"][0] == 2**53 + 1


def test_list_slice_loses_the_other_columns():
    """Upstream: ListSlice returns the columns it slices alone."""
    frame = pd.DataFrame({"n": [1], "rows": [[1, 2, 3]]})
    operator = ListSlice(-2)
    assert list(operator.transform(ColumnSelector(["rows"]), frame).columns) == ["rows"]
    ours = LastEvents(2).transform(ColumnSelector(["row_list"]), frame.rename(columns={"rows": "row_list"}))
    assert ours["n"].tolist() == [1] and [list(rows) for rows in ours["row_list"]] == [[2, 3]]


def test_executors_copy_the_columns_of_every_node():
    """Upstream: LocalExecutor and SelectionOp select columns by frame[names], which pandas copies."""
    frame = pd.DataFrame({"n": np.arange(3)})
    workflow = Workflow(["n"] >> AddTags([]))
    workflow.fit_schema(Dataset(frame).schema)
    assert not np.shares_memory(workflow.transform(frame)["n"].to_numpy(), frame["n"].to_numpy())
    with merlin_adapter.columns_without_copies():
        shared = workflow.transform(frame)
        assert np.shares_memory(shared["n"].to_numpy(), frame["n"].to_numpy())
        shared.loc[0, "n"] = 9
    assert frame["n"].tolist() == [0, 1, 2]


def test_categorify_fails_where_a_frame_has_no_value(tmp_path):
    """Upstream: ops/categorify.py, _encode: df[cl].dropna().iloc[0] raises IndexError."""
    train = pd.DataFrame({"x": ["a", "b"], "y": ["c", "c"]})
    request = pd.DataFrame({"x": [None], "y": ["c"]})
    upstream = fitted(Categorify(out_path=str(tmp_path / "upstream")), train)
    with pytest.raises(RuntimeError, match="categorical encode column x"):
        upstream.transform(request)
    ours = fitted(Categories(out_path=str(tmp_path / "ours")), train)
    assert ours.transform(request).to_dict("list") == {"x": [1], "y": [3]}


def test_categorify_takes_index_labels_for_positions(tmp_path):
    """Upstream: _encode writes the missing ids to labels[index of the row]."""
    workflow = fitted(Categories(out_path=str(tmp_path)), pd.DataFrame({"x": ["a", "b"]}))
    operator = workflow.output_node.op
    frame = pd.DataFrame({"x": [None, "a"]}, index=[1, 0])
    assert list(operator.transform(ColumnSelector(["x"]), frame)["x"]) == [1, 3]


def test_categorify_writes_no_vocabulary_for_a_column_without_values(tmp_path):
    """Upstream: _save_encodings skips empty tables, and transform then fails to open the file."""
    train = pd.DataFrame({"x": pd.Series([None, None], dtype=object)})
    with pytest.raises((FileNotFoundError, RuntimeError)):
        fitted(Categorify(out_path=str(tmp_path / "upstream")), train)
    ours = fitted(Categories(out_path=str(tmp_path / "ours")), train)
    assert list(ours.transform(pd.DataFrame({"x": ["new", None]}))["x"]) == [2, 1]


def test_categorify_orders_equals_by_an_unstable_sort(tmp_path):
    """Upstream: _write_uniques sorts by frequency with quicksort; equals are in no defined order."""
    values = [f"v{i:03d}" for i in range(300)]
    shuffled = list(np.random.default_rng(0).permutation(values))
    workflow = fitted(Categories(out_path=str(tmp_path)), pd.DataFrame({"x": [*shuffled, "v200"]}))
    ids = workflow.transform(pd.DataFrame({"x": ["v200", *(v for v in values if v != "v200")]}))["x"]
    assert list(ids) == list(range(3, 303))


def test_merlin_needs_a_value_in_some_list():
    """Upstream: list_val_dtype of a partition of empty lists is None, which with_dtype refuses."""
    from merlin.core.dispatch import list_val_dtype

    lists = pa.array([[], []], pa.list_(pa.string()))
    assert list_val_dtype(lists.to_pandas()) is None
    split = ConvertColumns(SplitValues("|", 2))
    marked = split.transform(ColumnSelector(["x"]), pd.DataFrame({"x": lists.to_pandas()}))["x"]
    assert [list(values) for values in marked] == [[merlin_adapter.LIST_FILLER]] * 2
    assert list_val_dtype(marked) is not None


def test_merlin_knows_frames_of_pandas_alone_until_it_is_taught():
    """Upstream: whether there are frames of cuDF is asked of the driver, when Merlin is imported."""
    from merlin.dag import executors

    frame = keyhole.DataFrame({"n": keyhole.Series([3, 1])})
    workflow = Workflow(["n"] >> AddTags([])).fit_schema(Dataset(pd.DataFrame({"n": [1]})).schema)
    with keyhole.installed():
        with pytest.raises((NotImplementedError, TypeError, AttributeError)):
            executors.LocalExecutor().transform(frame, workflow.output_node)
        merlin_adapter.teach_merlin(sys.modules["cudf"])
        assert workflow.transform(frame)["n"].to_arrow().to_pylist() == [3, 1]
        assert workflow.transform(pd.DataFrame({"n": [5]}))["n"].tolist() == [5]


def test_arguments_are_those_that_the_installed_transformers_knows(monkeypatch):
    """Upstream: `save_safetensors` and `use_cpu` came after transformers 4.27, which Merlin 23.12 holds."""
    from dataclasses import make_dataclass

    import transformers4rec.config.trainer as upstream

    names = ["output_dir", "report_to", "data_loader_engine", "no_cuda"]
    earlier = make_dataclass("Earlier", [(name, object, None) for name in names])
    monkeypatch.setattr(upstream, "T4RecTrainingArguments", earlier)
    found = merlin_adapter.training_arguments(output_dir="here")
    assert (found.output_dir, found.report_to, found.data_loader_engine) == ("here", [], "merlin")
    assert found.no_cuda is True and merlin_adapter.training_arguments(on_gpu=True).no_cuda is False


def test_todays_arguments_keep_training_on_the_cpu_unless_asked(tmp_path):
    assert merlin_adapter.training_arguments(output_dir=str(tmp_path)).use_cpu is True
    arguments = merlin_adapter.training_arguments(on_gpu=True, output_dir=str(tmp_path))
    assert arguments.use_cpu is False and arguments.save_safetensors is False

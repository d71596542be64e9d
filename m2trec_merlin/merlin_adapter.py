"""Workarounds for bugs and awkward defaults of the released Merlin packages.

Merlin was last released in 2023 and is treated as frozen. Each workaround is a function here that names the
upstream cause, so that it can go when the cause goes. Importing this module is cheap and changes nothing;
`prepare_merlin` must run before anything of Merlin or Dask is imported (importing `m2trec_merlin.workflows`
calls it).
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from itertools import chain
from pathlib import Path
from threading import Lock
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from m2trec_merlin.errors import M2TRecError

if TYPE_CHECKING:
    import pandas as pd
    from distributed import Client
    from merlin.dag import ColumnSelector, Node
    from merlin.io import Dataset
    from nvtabular import Workflow
    from nvtabular.ops import Operator

    #: The origin of a column: the number of the step that makes it, or 0 for the frame, and its name there.
    _Place = tuple[int, str]

#: Dask settings that merlin-core 23.08 needs, as the environment variables that Dask reads.
DASK_SETTINGS = {
    "DASK_DATAFRAME__QUERY_PLANNING": "False",
    "DASK_DATAFRAME__CONVERT_STRING": "False",
    # If the driver reports a GPU, Merlin assumes that cuDF is installed, and fails if it is not.
    "DASK_DISTRIBUTED__DIAGNOSTICS__NVML": "False",
}

#: Environment of the workers that we start: they import Merlin before our code could silence it.
WORKER_ENVIRONMENT = {**DASK_SETTINGS, "PYTHONWARNINGS": "ignore"}

_IMPORTING = Lock()
_lightly = False

#: The value put into empty lists between operators. Upstream: during fitting, merlin-core looks for the type
#: of a list column among the values of a partition (`merlin.core.dispatch.list_val_dtype`), and raises
#: TypeError if all lists are empty.
LIST_FILLER = None

_HARMLESS_WARNINGS = (
    "Tensorflow dtype mappings did not load",
    "PyTorch dtype mappings did not load",
    "Triton dtype mappings did not load",
    "Initializing an NVTabular Dataset in CPU mode",
    "Changing an NVTabular Dataset to CPU mode",
    "The legacy Dask DataFrame implementation is deprecated",
    "Performing a hash-based transformation",
    "A value is trying to be set on a copy of a DataFrame",
    "Running on a single-machine scheduler",
)


def prepare_merlin() -> None:
    """Configure Dask and hide warnings; call it before the first import of Merlin or Dask.

    Upstream: merlin-core builds on `dask.dataframe.core`, which exists only without Dask's query planning,
    and Dask's conversion of strings silently turns list columns into strings. Settings in the environment are
    overridden, since Merlin works with no others.

    Raises:
        M2TRecError: Dask's dataframes were already imported with query planning.
    """
    os.environ.update(DASK_SETTINGS)
    if "dask" in sys.modules:
        import dask

        dask.config.set(
            {
                "dataframe.query-planning": False,
                "dataframe.convert-string": False,
                "distributed.diagnostics.nvml": False,
            }
        )
    if "dask_expr" in sys.modules:
        raise M2TRecError(
            "Dask was imported with query planning, which Merlin cannot use: import m2trec_merlin.workflows "
            "before dask.dataframe, or set DASK_DATAFRAME__QUERY_PLANNING=False"
        )
    silence_merlin()


def silence_merlin() -> None:
    """Hide warnings that Merlin always gives on a CPU, and tracebacks of exceptions that it raises anyway.

    Upstream: merlin-core warns about every absent optional package and about CPU mode, NVTabular uses pandas
    calls that have been deprecated since, and `merlin.dag.executors` logs each exception's traceback in
    addition to raising it.
    """
    for message in _HARMLESS_WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    for module in (r"nvtabular\.", r"merlin\."):
        warnings.filterwarnings("ignore", category=FutureWarning, module=module)
    logging.getLogger("merlin").setLevel(logging.CRITICAL)


class _NoSuchFrame:
    """Stand-in for the frame types of dask-cudf."""


def teach_merlin(cudf: ModuleType) -> None:
    """Let NVTabular's workflows transform cuDF frames, too, not only pandas frames.

    Upstream: if the driver reports a GPU, merlin-core assumes cuDF *and* dask-cudf of 2023, and imports names
    that later releases dropped (`dask_cudf` itself, `cudf.core.column.build_categorical_column`): then
    neither nvtabular nor transformers4rec can be imported. So Merlin is made to believe that there is no GPU
    (`DASK_SETTINGS`), and this function adds the type of frame afterwards. Nothing in cuDF is changed.
    Workflows must be fitted part by part, since Merlin then knows only Dask collections of pandas frames.
    """
    from merlin.core import dispatch
    from merlin.dag import executors
    from nvtabular import Workflow

    dispatch.cudf = executors.cudf = cudf
    # Without it, `LocalExecutor` accepts only formats in main memory.
    executors.HAS_GPU = True
    dispatch.dask_cudf = SimpleNamespace(DataFrame=_NoSuchFrame, Series=_NoSuchFrame)
    dispatch.cudf_is_list_dtype = lambda column: isinstance(column.dtype, cudf.ListDtype)
    dispatch.cudf_is_string_dtype = cudf.api.types.is_string_dtype
    Workflow.transform.register(cudf.DataFrame)(lambda self, frame: self._transform_df(frame))


def import_lightly() -> None:
    """Make `importing_merlin`, from now on, skip imports that only fitting needs.

    Only for a program that owns its process and never trains in it: the caller of a library might import
    torch or Transformers4Rec at any moment.
    """
    global _lightly
    _lightly = True


@contextmanager
def importing_merlin() -> Iterator[None]:
    """Import Merlin within this context, for transforming pandas frames only.

    After `import_lightly`, packages that no transformation needs are replaced by stand-ins during the block,
    and cannot be imported meanwhile. Packages that were imported earlier stay.

    Upstream: `merlin.dtypes.mappings` imports torch and tritonclient if they are installed, for names of
    types that no workflow uses; `merlin.core` imports numba and Dask's `distributed` to look for GPUs and
    clients; `nvtabular.ops` imports numba for kernels of operators that we do not use. Without torch, that is
    a third of NVTabular's import time and 120 MiB; torch takes as long again, and hundreds of MiB.
    """
    # `sys.modules` is shared, so only one thread at a time may put stand-ins there.
    with _IMPORTING:
        stand_ins = _stand_ins() if _lightly else {}
        absent = [modules for package, modules in stand_ins.items() if package not in sys.modules]
        for modules in absent:
            sys.modules.update(modules)  # type: ignore[arg-type]  # None makes an import fail
        try:
            yield
        finally:
            for name in chain.from_iterable(absent):
                del sys.modules[name]


def _stand_ins() -> dict[str, dict[str, ModuleType | None]]:
    """Return each package's stand-in modules by name, with just the content that importing Merlin needs."""

    def unchanged(*given: Any, **_: Any) -> Any:
        return given[0] if given and callable(given[0]) else unchanged

    def there_is_none() -> None:
        raise ValueError("there is no client of Dask, and no worker")

    cuda = _module("numba.cuda", is_available=lambda: False, jit=unchanged)
    nvml = _module("distributed.diagnostics.nvml", device_get_count=lambda: 0)
    diagnostics = _module("distributed.diagnostics", nvml=nvml)
    client = {"Client": type("Client", (), {}), "get_client": there_is_none, "get_worker": there_is_none}
    return {
        "torch": {"torch": None},
        "tritonclient": {"tritonclient": None},
        "numba": {"numba": _module("numba", cuda=cuda, njit=unchanged, prange=range), "numba.cuda": cuda},
        "distributed": {
            "distributed": _module("distributed", diagnostics=diagnostics, **client),
            "dask.distributed": _module("dask.distributed", diagnostics=diagnostics, **client),
            "dask.distributed.diagnostics": diagnostics,
        },
    }


def _module(name: str, **content: Any) -> ModuleType:
    module = ModuleType(name)
    # `__path__` marks a package, which may have submodules.
    vars(module).update(content, __path__=[])
    return module


@contextmanager
def dask_client_for_merlin(client: Client | None) -> Iterator[None]:
    """Make NVTabular use exactly this client, or none, within this context.

    Upstream: `merlin.core.utils.global_dask_client` picks up any client that happens to be alive in the
    process, and keeps a closed one in a context variable.
    """
    from merlin.core.utils import set_dask_client

    set_dask_client(client)
    try:
        yield
    finally:
        set_dask_client("auto")


def dataset_of_parts(paths: Sequence[Path], columns: Sequence[str]) -> Dataset:
    """Return a Merlin dataset with exactly one partition per Parquet file.

    Upstream: `merlin.io.Dataset(paths)` splits files by row groups, and its partition size depends on the
    machine's memory, so a partition boundary could cut a session in two.
    """
    from dask import dataframe
    from merlin.io import Dataset

    files, names = [str(path) for path in paths], list(columns)
    empty = pq.read_schema(files[0]).empty_table().select(names).to_pandas()
    return Dataset(dataframe.from_map(_read_part, files, columns=names, meta=empty))


def _read_part(path: str, columns: list[str]) -> pd.DataFrame:
    # By default integers with missing values become floats, which changes ids beyond 2^53.
    return pq.read_table(path, columns=columns).to_pandas(integer_object_nulls=True)


@contextmanager
def columns_without_copies() -> Iterator[None]:
    """Let pandas share columns between frames until one is changed, within this context.

    Upstream: `merlin.dag.executors.LocalExecutor` and `SelectionOp` select the columns of nodes by
    `frame[names]`, which pandas copies each time. The option applies to the whole process. Do not use it with
    `Categorify`, which fills missing values of a selected column in place.
    """
    import pandas as pd

    with pd.option_context("mode.copy_on_write", True):
        yield


class OperatorChain:
    """Runs the operators of a fitted workflow one after another, for frames with few rows.

    Upstream: `merlin.dag.executors.LocalExecutor` makes a frame for each node, most of which only rename, tag
    or join columns, and resolves all selectors anew each time; for one item this takes three quarters of the
    time. The chain applies the same operators, with the same results.

    Args:
        workflow: a fitted workflow; it may be fitted again.
    """

    def __init__(self, workflow: Workflow) -> None:
        #: Operators with their selectors, and the origins of their columns.
        self._steps: list[tuple[Operator, ColumnSelector, dict[str, _Place]]] = []
        self._places: dict[Node, dict[str, _Place]] = {}
        node = workflow.output_node
        found = self._columns_of(node)
        self._outputs = {name: found[name] for name in node.output_schema.column_names}

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return what `Workflow.transform` returns."""
        made = [frame]
        for operator, selector, places in self._steps:
            made.append(operator.transform(selector, _taken(made, places)))
        return _taken(made, self._outputs)

    def _columns_of(self, node: Node) -> dict[str, _Place]:
        """Return the origins of a node's columns, and add the steps that make them."""
        if node not in self._places:
            self._places[node] = self._places_of(node)
        return self._places[node]

    def _places_of(self, node: Node) -> dict[str, _Place]:
        from merlin.dag.ops.concat_columns import ConcatColumns
        from merlin.dag.ops.selection import SelectionOp
        from nvtabular.ops import AddMetadata, Rename

        inputs: dict[str, _Place] = {}
        for parent in node.parents_with_dependencies:
            inputs |= self._columns_of(parent)
        for name in (*node.input_schema.column_names, *node.dependency_columns.names):
            inputs.setdefault(name, (0, name))
        selector, names = node.input_columns.resolve(node.input_schema), node.output_schema.column_names
        if node.op is None or isinstance(node.op, ConcatColumns | SelectionOp | AddMetadata):
            return {name: inputs[name] for name in names}
        if isinstance(node.op, Rename):
            return {new: inputs[old] for new, [old] in node.op.column_mapping(selector).items()}
        self._steps.append((node.op, selector, inputs))
        return {name: (len(self._steps), name) for name in names}


def _taken(made: Sequence[pd.DataFrame], places: Mapping[str, _Place]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({name: made[step][column] for name, (step, column) in places.items()}, copy=False)


def training_arguments(on_gpu: bool = False, **settings: Any) -> Any:
    """Return training arguments with which the `Trainer` of Transformers4Rec can train our models.

    Upstream: later releases of transformers save checkpoints as safetensors by default, which fails for
    models whose state holds shared tensors; and they report to every tracker that is installed. Earlier
    releases have neither `save_safetensors` nor `use_cpu`.

    Args:
        on_gpu: whether to train on a GPU if there is one.
        settings: further training arguments.
    """
    from transformers4rec.config.trainer import T4RecTrainingArguments

    known = {field.name for field in fields(T4RecTrainingArguments)}
    device = {"use_cpu" if "use_cpu" in known else "no_cuda": not on_gpu}
    quiet = {"save_safetensors": False, "report_to": [], "data_loader_engine": "merlin", **device}
    defaults = {name: value for name, value in quiet.items() if name in known}
    return T4RecTrainingArguments(**{**defaults, **settings})


def make_evaluation_work(trainer: Any) -> Any:
    """Let a Transformers4Rec `Trainer` evaluate.

    Upstream: its `prediction_step` reads `use_amp` and its `evaluation_loop` calls `_pad_across_processes`;
    later releases of transformers dropped both (the latter moved to accelerate).
    """
    trainer.use_amp = False
    trainer._pad_across_processes = trainer.accelerator.pad_across_processes
    return trainer

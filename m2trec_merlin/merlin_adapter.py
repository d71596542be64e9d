"""Everything we do only because a released Merlin package has a bug or an awkward default.

Merlin was last released in 2023 and is treated as frozen: what must be worked around is worked around here,
each in a function that names the upstream cause, so that it can go when the cause goes. Importing this module
is cheap and changes nothing; `prepare_merlin` must run before anything of Merlin or Dask is imported
(importing `m2trec_merlin.workflows` sees to it).
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

    #: Of a column: the number of the step that makes it, 0 being the frame itself, and its name there.
    _Place = tuple[int, str]

#: Dask settings that merlin-core 23.08 needs, as the environment variables that Dask reads.
DASK_SETTINGS = {
    "DASK_DATAFRAME__QUERY_PLANNING": "False",
    "DASK_DATAFRAME__CONVERT_STRING": "False",
    # Merlin takes a GPU that the driver reports for a sign of cuDF, and fails where there is none.
    "DASK_DISTRIBUTED__DIAGNOSTICS__NVML": "False",
}

#: For the workers that we start: they import Merlin before anything of ours could silence it.
WORKER_ENVIRONMENT = {**DASK_SETTINGS, "PYTHONWARNINGS": "ignore"}

_IMPORTING = Lock()
_lightly = False

#: Stands in a list without a value for as long as it travels between operators. Upstream: while it fits,
#: merlin-core looks for the type of a list column among the values of a partition
#: (`merlin.core.dispatch.list_val_dtype`) and raises TypeError where all lists are empty.
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
    """Set up Dask and the warnings; call before the first import of Merlin or Dask.

    Upstream: merlin-core builds on `dask.dataframe.core`, which exists only without Dask's query planning,
    and Dask's conversion of strings turns list columns into strings without a word. Settings that the
    environment already holds are overridden: with others nothing works.

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
    """Hide warnings that Merlin always gives on a CPU, and tracebacks that it logs before it raises them.

    Upstream: merlin-core warns about every optional package that is absent and about CPU mode as such,
    NVTabular uses pandas calls deprecated since, and `merlin.dag.executors` logs each exception's traceback
    in addition to raising it.
    """
    for message in _HARMLESS_WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    for module in (r"nvtabular\.", r"merlin\."):
        warnings.filterwarnings("ignore", category=FutureWarning, module=module)
    logging.getLogger("merlin").setLevel(logging.CRITICAL)


class _NoSuchFrame:
    """What dask-cudf would define."""


def teach_merlin(cudf: ModuleType) -> None:
    """Let NVTabular's workflows transform frames of cuDF, beside those of pandas.

    Upstream: merlin-core takes a GPU that the driver reports for cuDF *and* dask-cudf of its own year, of
    which it imports names that are gone (`dask_cudf` itself, `cudf.core.column.build_categorical_column`):
    neither nvtabular nor transformers4rec can then be imported. So Merlin is kept believing that there is no
    GPU (`DASK_SETTINGS`), and learns the type of frame afterwards. Nothing of cuDF is changed. Workflows
    must be fitted part by part: of Dask's collections Merlin knows those of pandas alone.
    """
    from merlin.core import dispatch
    from merlin.dag import executors
    from nvtabular import Workflow

    dispatch.cudf = executors.cudf = cudf
    # Without it, `LocalExecutor` takes no other format than those of the host.
    executors.HAS_GPU = True
    dispatch.dask_cudf = SimpleNamespace(DataFrame=_NoSuchFrame, Series=_NoSuchFrame)
    dispatch.cudf_is_list_dtype = lambda column: isinstance(column.dtype, cudf.ListDtype)
    dispatch.cudf_is_string_dtype = cudf.api.types.is_string_dtype
    Workflow.transform.register(cudf.DataFrame)(lambda self, frame: self._transform_df(frame))


def import_lightly() -> None:
    """Let `importing_merlin` leave out what only fitting needs, from now on.

    It is for the program that owns this process, and never trains in it: a library's caller might import
    torch, or Transformers4Rec, at any moment.
    """
    global _lightly
    _lightly = True


@contextmanager
def importing_merlin() -> Iterator[None]:
    """Import Merlin in the block, for transforming frames of pandas alone.

    After `import_lightly`, what no transformation needs is kept out of what is imported, and cannot be
    imported meanwhile. What is there already stays.

    Upstream: `merlin.dtypes.mappings` imports torch and tritonclient wherever they are installed, for names
    of types that no workflow has; `merlin.core` imports numba and Dask's `distributed` to look for GPUs and
    for clients, and `nvtabular.ops` numba for kernels of operators that we do not use. Torch aside, that is
    a third of the time that NVTabular takes to import, and 120 MiB; torch is as much again, and hundreds.
    """
    # One thread at a time may keep others away.
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
    """Return of each package its modules by name, with as much as Merlin asks of them on import."""

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
    # As of a package, which may have modules.
    vars(module).update(content, __path__=[])
    return module


@contextmanager
def dask_client_for_merlin(client: Client | None) -> Iterator[None]:
    """Make NVTabular use exactly this client, or none, for the length of the block.

    Upstream: `merlin.core.utils.global_dask_client` picks up any client that happens to be alive in the
    process and keeps a closed one in a context variable.
    """
    from merlin.core.utils import set_dask_client

    set_dask_client(client)
    try:
        yield
    finally:
        set_dask_client("auto")


def dataset_of_parts(paths: Sequence[Path], columns: Sequence[str]) -> Dataset:
    """Return a Merlin dataset with exactly one partition per Parquet file.

    Upstream: `merlin.io.Dataset(paths)` splits files by row groups and its partition size follows the
    machine's memory, so a partition boundary could cut a session in two.
    """
    from dask import dataframe
    from merlin.io import Dataset

    files, names = [str(path) for path in paths], list(columns)
    empty = pq.read_schema(files[0]).empty_table().select(names).to_pandas()
    return Dataset(dataframe.from_map(_read_part, files, columns=names, meta=empty))


def _read_part(path: str, columns: list[str]) -> pd.DataFrame:
    # Integers with missing values would become floats, and ids beyond 2^53 change.
    return pq.read_table(path, columns=columns).to_pandas(integer_object_nulls=True)


@contextmanager
def columns_without_copies() -> Iterator[None]:
    """Let pandas share columns between frames until one is changed, for the length of the block.

    Upstream: `merlin.dag.executors.LocalExecutor` and `SelectionOp` select the columns of nodes by
    `frame[names]`, of which pandas makes a copy each time. The option holds for the whole process. It is not
    for `Categorify`, which fills missing values of a selected column in place.
    """
    import pandas as pd

    with pd.option_context("mode.copy_on_write", True):
        yield


class OperatorChain:
    """The operators of a fitted workflow one after another, for frames of few rows.

    Upstream: `merlin.dag.executors.LocalExecutor` makes a frame for each node, most of which only rename, tag
    or put together columns, and resolves the selectors of all of them anew: for one item three quarters of
    the time. What is computed is the same, by the same operators.

    Args:
        workflow: fitted; may be fitted again.
    """

    def __init__(self, workflow: Workflow) -> None:
        #: Operators with their selectors, and where their columns come from: number of the step, and name.
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
        """Return where the columns of a node come from; adds the steps that make them."""
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
    """Return Transformers4Rec training arguments that its `Trainer` can train our models with.

    Upstream: later releases of transformers save checkpoints as safetensors by default, which fails for
    models whose state holds shared tensors; and progress or trackers are reported to whatever is installed.
    Earlier releases have neither that setting nor `use_cpu`.

    Args:
        on_gpu: train on a GPU if there is one.
        settings: of the arguments.
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

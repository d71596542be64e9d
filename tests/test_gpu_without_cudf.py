"""A machine with an NVIDIA driver works as one without a GPU, whether or not there is a cuDF of today."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: The driver reports one GPU; cuDF and its kin cannot be imported.
SIMULATION = """
import sys
for name in ("cudf", "dask_cudf", "rmm", "cupy"):
    sys.modules[name] = None
import pynvml
pynvml.nvmlInit = lambda *arguments: None
pynvml.nvmlDeviceGetCount = lambda: 1
pynvml.nvmlDeviceGetHandleByIndex = lambda index: index
"""
PREPROCESS = """
from pathlib import Path
from tests.worlds.raw_run import make_config, write_data
from m2trec_merlin.preprocessing.run import preprocess
folder = Path(sys.argv[1])
write_data(folder)
preprocess(make_config(folder))
"""


#: The driver reports one GPU, and a cuDF of today is there: without dask-cudf, and without names of 2023.
CUDF_OF_TODAY = f"""{SIMULATION}
from types import ModuleType
cudf = sys.modules["cudf"] = ModuleType("cudf")
cudf.__file__, cudf.__version__ = "cudf.py", "25.12.00"
def anything(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (), {{}})
cudf.__getattr__ = anything
"""


def run(code: str, *arguments: str, simulation: str = SIMULATION) -> subprocess.CompletedProcess[str]:
    # Not with the settings that this process has made.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("DASK_", "CUDA_VISIBLE"))}
    return subprocess.run(
        [sys.executable, "-c", simulation + code, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        cwd=Path(__file__).parents[1],
    )


@pytest.mark.slow
def test_preprocessing_does_not_take_a_driver_for_cudf(tmp_path):
    """Upstream: merlin.core.compat.HAS_GPU asks the driver, by way of distributed's NVML diagnostics."""
    done = run(PREPROCESS, str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "preprocessed" / "manifest.json").is_file()


def test_merlin_alone_does():
    """What the settings of `prepare_merlin` guard against: without them Merlin believes in a GPU."""
    settings = 'import os; os.environ["DASK_DATAFRAME__QUERY_PLANNING"] = "False"\n'
    done = run(settings + "from merlin.core.compat import HAS_GPU; print(HAS_GPU)")
    assert done.stdout.strip() == "True", done.stderr


IMPORTS = "import nvtabular, merlin.io, transformers4rec.torch; print('imported')"


def test_merlin_cannot_be_imported_beside_a_cudf_of_today():
    """Upstream: merlin/io/parquet.py imports dask_cudf where the driver reports a GPU and cuDF is there."""
    settings = 'import os; os.environ["DASK_DATAFRAME__QUERY_PLANNING"] = "False"\n'
    done = run(settings + IMPORTS, simulation=CUDF_OF_TODAY)
    assert done.returncode and "dask_cudf" in done.stderr


def test_with_our_settings_it_can():
    prepare = "from m2trec_merlin.merlin_adapter import prepare_merlin; prepare_merlin()\n"
    done = run(prepare + IMPORTS, simulation=CUDF_OF_TODAY)
    assert done.stdout.strip() == "imported", done.stderr

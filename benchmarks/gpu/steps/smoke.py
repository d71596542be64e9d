"""Check that the machine has what the other steps need: versions, then one small use of each library."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from importlib import metadata

from benchmarks.gpu.step import Step

_VERSIONS = (
    "torch",
    "numpy",
    "pandas",
    "pyarrow",
    "cupy-cuda13x",
    "cudf-cu13",
    "nvtabular",
    "transformers4rec",
    # Packages of the machine itself.
    "torchmetrics",
    "accelerate",
    "safetensors",
    "pytest",
    "hypothesis",
)


def main(step: Step) -> None:
    """Do all checks; failed ones are added to the figures, too."""
    step.add("Python", sys.version.split()[0])
    for name in _VERSIONS:
        try:
            step.add(name, metadata.version(name))
        except metadata.PackageNotFoundError:
            step.add(name, None)
    checks = [_driver, _torch, _cupy, _cudf_sum, _cudf_strings, _cudf_lists, _to_torch, _merlin, _product]
    failed = [
        check.__name__ for check in checks if not step.attempt(check.__name__[1:], partial(check, step))
    ]
    if failed and not step.rehearsal:
        raise SystemExit(f"failed: {', '.join(failed)}")


def _driver(step: Step) -> None:
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    step.add("GPU", subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip())


def _torch(step: Step) -> None:
    import torch

    assert torch.ones(3, device=step.device).sum().item() == 3


def _product(step: Step) -> None:
    """Measure the most that the machine multiplies, to compare a training step with."""
    import torch

    size = 64 if step.rehearsal else 8192
    for kind in (torch.float32, torch.bfloat16):
        left, right = (torch.randn(size, size, device=step.device, dtype=kind) for _ in range(2))
        seconds = step.seconds(lambda: left @ right)  # noqa: B023
        step.add("matrix product", round(2 * size**3 / seconds / 1e12, 3), "TFLOP/s", of=str(kind), size=size)


def _cupy(step: Step) -> None:
    import cupy

    assert int(cupy.arange(10).sum()) == 45


def _cudf_sum(step: Step) -> None:
    import cudf

    assert int(cudf.Series([1, 2, 3]).sum()) == 6


def _cudf_strings(step: Step) -> None:
    import cudf

    words = cudf.Series(["b a", None, "a"]).str.tokenize(" ")
    codes, distinct = words.factorize()
    assert [distinct.to_arrow().to_pylist()[code] for code in codes.get()] == ["b", "a", "a"]


def _cudf_lists(step: Step) -> None:
    import cudf
    import cupy

    from m2trec_merlin.frames import frames_of

    frames = frames_of(cudf.DataFrame())
    lists = frames.last(cudf.Series([[1, 2, 3], [4]]), 2)  # type: ignore[arg-type]
    assert frames.to_host(lists).to_pylist() == [[2, 3], [4]]
    step.add("cupy memory", cupy.get_default_memory_pool().total_bytes(), "B")


def _to_torch(step: Step) -> None:
    import cudf
    import torch

    series = cudf.Series([1, 2, 3])
    tensor = torch.as_tensor(series.values, device=step.device)
    tensor += 1
    assert series.to_arrow().to_pylist() == [2, 3, 4], "a copy was made"


def _merlin(step: Step) -> None:
    import m2trec_merlin.workflows  # noqa: F401  (ahead of Merlin, which it sets up)

    # isort: split
    import nvtabular
    import transformers4rec.torch

    step.add("Merlin", nvtabular.__version__, of=transformers4rec.__name__)


if __name__ == "__main__":
    main(Step.of())

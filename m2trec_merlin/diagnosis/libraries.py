"""Checks of Merlin, torch and the GPU, cuDF, and the packages of the extras."""

from __future__ import annotations

import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.util import find_spec

from packaging.requirements import Requirement

from m2trec_merlin.attributes.sentence import Sentence
from m2trec_merlin.config import Config
from m2trec_merlin.diagnosis.findings import Finding, State, ready

#: Modules of the extra `serve`, and the verbs that do not run without each.
_SERVING = {
    "onnx": "`m2trec export`",
    "onnxscript": "`m2trec export`",
    "onnxruntime": "`m2trec export`, `m2trec serve`",
    "psutil": "`m2trec serve`",
    "tritonclient": "`m2trec recommend`",
}


def check_merlin(config: Config | None) -> Finding:
    """Check that the Merlin packages can be imported, as some versions of their dependencies break them."""
    from m2trec_merlin.merlin_adapter import prepare_merlin

    prepare_merlin()
    import nvtabular  # noqa: F401
    import transformers4rec.torch  # noqa: F401

    return ready(f"nvtabular {version('nvtabular')}, transformers4rec {version('transformers4rec')}")


def check_versions(config: Config | None) -> Finding:
    """Check that packages whose versions matter have those that m2trec-merlin was run with."""
    others = [
        f"{wanted.name} {found}, not {wanted.specifier}"
        for wanted in overrides()
        if (found := _installed(wanted.name)) is not None and found not in wanted.specifier
    ]
    if not others:
        return ready("as in overrides.txt")
    return Finding(
        State.LIMITED,
        "; ".join(others),
        "nobody has run m2trec-merlin with these together",
        "uv pip install --override overrides.txt (docs/dependencies.md)",
    )


def overrides() -> list[Requirement]:
    """Return the requirements in the package's own overrides.txt."""
    text = (files("m2trec_merlin") / "overrides.txt").read_text(encoding="utf-8")
    return [Requirement(line) for line in text.splitlines() if line and not line.startswith("#")]


def check_gpu(config: Config | None) -> Finding:
    """Check whether torch can use a GPU, and whether the configuration requires one."""
    import torch

    from m2trec_merlin.devices import torch_lacks

    lacks = torch_lacks()
    if lacks is None:
        names = {torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())}
        return ready(f"torch {torch.__version__}: {torch.cuda.device_count()} of {', '.join(sorted(names))}")
    remedy = ""
    if torch.version.cuda is None:
        lacks += ", and is a build for the CPU"
        if shutil.which("nvidia-smi"):
            remedy = "there is a driver: install the build of torch for CUDA"
    found = f"torch {torch.__version__}: {lacks}"
    insisting = _insisting(config, ("training", "evaluation"))
    if insisting:
        return Finding(
            State.BLOCKED, found, f"{insisting} is 'cuda', and is refused", remedy or "set it to auto"
        )
    return Finding(State.LIMITED, found, "`m2trec train` and `evaluate` run on the CPU", remedy)


def check_cudf(config: Config | None) -> Finding:
    """Check whether the workflows can run on cuDF, and whether the configuration requires it."""
    from m2trec_merlin.preprocessing.device import lacks

    missing = lacks()
    if missing is None:
        # Its version comes from the module: package names contain the CUDA release, and Merlin's images have
        # no package.
        import cudf

        return ready(f"cuDF {cudf.__version__}")
    if insisting := _insisting(config, ("preprocessing",)):
        return Finding(State.BLOCKED, missing, f"{insisting} is 'cuda', and is refused", "set it to auto")
    return Finding(State.LIMITED, missing, "`m2trec preprocess` runs on pandas, on the CPU")


def check_serving_packages(config: Config | None) -> Finding:
    """Check that the packages of the extra `serve` are there; Triton itself has its own check."""
    missing = [name for name in _SERVING if find_spec(name) is None]
    if not missing:
        return ready("the packages of the extra `serve` are there")
    verbs = ", ".join(dict.fromkeys(_SERVING[name] for name in missing))
    return Finding(
        State.BLOCKED,
        f"{', '.join(missing)} not installed",
        f"not to be had: {verbs}",
        "pip install 'm2trec-merlin[serve]'",
    )


def check_page(config: Config | None) -> Finding:
    """Check that the packages of the extra `web` are there."""
    return _extra("web", ("starlette", "uvicorn"), False, "not to be had: `m2trec try`")


def check_sentences(config: Config | None) -> Finding:
    """Check that the sentence encoder is there, and whether the configuration has attributes for it."""
    described = [*config.attributes, *config.event_attributes] if config else []
    users = [attribute.name for attribute in described if isinstance(attribute, Sentence)]
    cost = "attributes of kind `sentence`, which this configuration does not have"
    if users:
        cost = f"`m2trec preprocess` and raw items of requests: {', '.join(users)} cannot be encoded"
    return _extra(Sentence.pretrained.extra, Sentence.packages, bool(users), cost)


def check_tracking(config: Config | None) -> Finding:
    """Check that MLflow is there, and whether the configuration records runs in it."""
    wanted = config is not None and config.tracking.mlflow is not None
    cost = "runs recorded in MLflow, which this configuration does not ask for"
    if wanted:
        cost = "`m2trec train`, `m2trec evaluate` and `m2trec export`: tracking.mlflow asks for it"
    return _extra("mlflow", ("mlflow-skinny", "sqlalchemy", "alembic"), wanted, cost)


def check_baselines(config: Config | None) -> Finding:
    """Check that the library of the baseline `als`, which merlin-models wraps, is there."""
    return _extra(
        "baselines", ("implicit",), False, "the baseline `als`, which is left out where it is asked for"
    )


def _extra(extra: str, packages: tuple[str, ...], is_needed: bool, cost: str) -> Finding:
    """Return a finding on whether the packages of an extra are there, with the cost if they are not."""
    missing = [name for name in packages if _installed(name) is None]
    if not missing:
        return ready(", ".join(f"{name} {version(name)}" for name in packages))
    state = State.BLOCKED if is_needed else State.LIMITED
    return Finding(
        state, f"{', '.join(missing)} not installed", cost, f"pip install 'm2trec-merlin[{extra}]'"
    )


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _insisting(config: Config | None, sections: tuple[str, ...]) -> str:
    """Return the settings that require a GPU, of the given sections."""
    if config is None:
        return ""
    return ", ".join(f"{name}.device" for name in sections if getattr(config, name).device == "cuda")

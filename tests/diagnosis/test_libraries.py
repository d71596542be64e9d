from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest

from m2trec_merlin import devices
from m2trec_merlin.config import Config
from m2trec_merlin.diagnosis import libraries
from m2trec_merlin.diagnosis.findings import State
from m2trec_merlin.diagnosis.libraries import (
    check_baselines,
    check_cudf,
    check_gpu,
    check_page,
    check_sentences,
    check_serving_packages,
    check_tracking,
    check_versions,
    overrides,
)
from m2trec_merlin.preprocessing import device
from tests.runs.folders import configure


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "torch_lacks", lambda: "torch finds no CUDA device")
    monkeypatch.setitem(sys.modules, "cupy", None)


def test_cudf_says_itself_which_release_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its package is called by the release of CUDA, and in an image of Merlin there is none."""
    monkeypatch.setattr(device, "lacks", lambda: None)
    monkeypatch.setitem(sys.modules, "cudf", SimpleNamespace(__version__="24.06"))
    assert check_cudf(None).found == "cuDF 24.06"


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize(
    ("section", "check"), [("training", check_gpu), ("evaluation", check_gpu), ("preprocessing", check_cudf)]
)
def test_without_a_gpu_verbs_are_slower_unless_the_configuration_insists(
    section: str, check: object, tmp_path: Path
) -> None:
    assert callable(check)
    for config in (None, configure(tmp_path), configure(tmp_path, f"{section}.device", "cpu")):
        found = check(config)
        assert found.state is State.LIMITED and "on the CPU" in found.cost
    found = check(configure(tmp_path, f"{section}.device", "cuda"))
    assert found.state is State.BLOCKED and f"{section}.device is 'cuda'" in found.cost


def test_versions_that_nobody_ran_together_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {wanted.name: next(iter(wanted.specifier)).version for wanted in overrides()}
    assert {"torch", "numpy", "transformers"} <= set(versions)
    versions["protobuf"] = "6.99"

    def version(name: str) -> str:
        if name not in versions:
            raise PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(libraries, "version", version)
    versions["torch"] += "+cpu"
    del versions["dask-cuda"]
    assert check_versions(None).state is State.READY
    wanted, versions["numpy"], versions["protobuf"] = versions["numpy"], "2.1.0", "6.32.0"
    found = check_versions(None)
    assert found.state is State.LIMITED
    assert found.found.startswith(f"numpy 2.1.0, not =={wanted}; protobuf 6.32.0, not ")
    assert "--override overrides.txt" in found.remedy


def test_the_cost_of_a_missing_package_are_its_verbs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "find_spec", lambda name: None if name in ("onnx", "psutil") else name)
    found = check_serving_packages(None)
    assert found.state is State.BLOCKED
    assert found.found == "onnx, psutil not installed"
    assert found.cost == "not to be had: `m2trec export`, `m2trec serve`"
    monkeypatch.setattr(libraries, "find_spec", lambda name: name)
    assert check_serving_packages(None).state is State.READY


def test_the_sentence_encoder_is_missed_where_an_attribute_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(libraries, "version", nothing)
    plain = configure(tmp_path)
    attributes = [*plain.model_dump(mode="json")["attributes"], {"name": "meaning", "kind": "sentence"}]
    reading = Config.model_validate({**plain.model_dump(mode="json"), "attributes": attributes})
    assert check_sentences(None).state is State.LIMITED
    assert check_sentences(plain).state is State.LIMITED
    of_events = {**plain.model_dump(mode="json"), "event_attributes": attributes[-1:]}
    for config in (reading, Config.model_validate(of_events)):
        found = check_sentences(config)
        assert found.state is State.BLOCKED and "meaning cannot be encoded" in found.cost


def test_the_page_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_page(None).state is State.READY and "uvicorn" in check_page(None).found

    def all_but_one(name: str) -> str:
        if name == "uvicorn":
            raise PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(libraries, "version", all_but_one)
    found = check_page(None)
    assert (found.state, found.found) == (State.LIMITED, "uvicorn not installed")
    assert found.remedy == "pip install 'm2trec-merlin[web]'"


def test_mlflow_is_missed_where_runs_are_to_be_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_tracking(None).state is check_baselines(None).state is State.READY

    def nothing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(libraries, "version", nothing)
    assert check_tracking(configure(tmp_path)).state is State.LIMITED
    found = check_tracking(configure(tmp_path, "tracking.mlflow", {}))
    assert found.state is State.BLOCKED and found.remedy == "pip install 'm2trec-merlin[mlflow]'"
    assert found.found == "mlflow-skinny, sqlalchemy, alembic not installed"
    # A baseline that cannot be had is left out.
    found = check_baselines(configure(tmp_path, "evaluation.baselines", ["als"]))
    assert found.state is State.LIMITED and "'m2trec-merlin[baselines]'" in found.remedy

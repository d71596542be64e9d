"""The configurations are checked against Triton's own definition of the format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from m2trec_merlin.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.serving.export.repository import create_models
from tests.worlds.shop import Shop


def read_config(repository: Path, model: str) -> Any:
    text = (repository / model / "config.pbtxt").read_text(encoding="utf-8")
    return text_format.Parse(text, model_config_pb2.ModelConfig())


@pytest.fixture(params=[["aisle", "brand"], []], ids=["two tasks", "no task"])
def configs(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    create_models(tmp_path, request.param, n_rows=1000)
    return {m: read_config(tmp_path, m) for m in ("m2trec", "m2trec_preprocess", "m2trec_predict")}


def test_the_ensemble_is_a_real_one(configs: dict[str, Any]) -> None:
    ensemble = configs["m2trec"]
    assert ensemble.platform == "ensemble"
    steps = [step.model_name for step in ensemble.ensemble_scheduling.step]
    assert steps == ["m2trec_preprocess", "m2trec_predict"]


def test_steps_map_exactly_the_tensors_that_their_models_have(configs: dict[str, Any]) -> None:
    available = {tensor.name for tensor in configs["m2trec"].input}
    for step in configs["m2trec"].ensemble_scheduling.step:
        model = configs[step.model_name]
        assert set(step.input_map) == {tensor.name for tensor in model.input}
        assert set(step.output_map) == {tensor.name for tensor in model.output}
        assert set(step.input_map.values()) <= available
        available |= set(step.output_map.values())
    assert {tensor.name for tensor in configs["m2trec"].output} <= available


def test_types_and_shapes_agree_between_the_models(configs: dict[str, Any]) -> None:
    seen: dict[str, Any] = {}
    for config in configs.values():
        for tensor in [*config.input, *config.output]:
            described = (tensor.data_type, list(tensor.dims))
            assert seen.setdefault(tensor.name, described) == described


@pytest.mark.parametrize(("n_rows", "batch"), [(10, 64), (2**20, 16), (2**30, 1)])
def test_large_catalogues_get_small_batches(tmp_path: Path, n_rows: int, batch: int) -> None:
    create_models(tmp_path, [], n_rows)
    assert {read_config(tmp_path, m).max_batch_size for m in ("m2trec", "m2trec_predict")} == {batch}


def test_the_second_step_has_as_many_instances_as_are_wanted(tmp_path: Path) -> None:
    create_models(tmp_path, [], 10, instances=3)
    counts = {
        m: read_config(tmp_path, m).instance_group[0].count for m in ("m2trec_preprocess", "m2trec_predict")
    }
    assert counts == {"m2trec_preprocess": 1, "m2trec_predict": 3}


def test_exported_folders_hold_the_code_that_triton_runs(shop: Shop) -> None:
    for name, folder in ((PREPROCESS, shop.preprocess), (PREDICT, shop.predict)):
        source = Path("triton_models") / name / "1" / "model.py"
        assert (folder / "model.py").read_bytes() == source.read_bytes() != b""

"""What moves between Triton and a step, and what is counted: on a stand-in of Triton's own module."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from importlib import import_module, reload
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from m2trec_merlin.contract.names import PREPROCESS
from m2trec_merlin.contract.server_settings import ServerSettings
from m2trec_merlin.contract.under_way import Counts, read_counts
from m2trec_merlin.errors import MissingDependencyError
from m2trec_merlin.serving.runtime.reading.new_items import NewItemEncoder
from m2trec_merlin.serving.runtime.steps import PreprocessStep
from m2trec_merlin.serving.runtime.tally import Series
from tests.serving.runtime.counted import Counted
from tests.worlds.shop import Shop


@dataclass
class Tensor:
    called: str
    array: np.ndarray

    def name(self) -> str:
        return self.called

    def as_numpy(self) -> np.ndarray:
        return self.array


@dataclass
class Response:
    output_tensors: list[Tensor] = field(default_factory=list)
    error: Any = None


@dataclass
class Request:
    tensors: list[Tensor]
    named: str = ""

    def inputs(self) -> list[Tensor]:
        return self.tensors

    def request_id(self) -> str:
        # As over HTTP, where an id may be any bytes.
        return self.named.encode("latin-1").decode()


@dataclass
class Error:
    message: str
    code: str
    INVALID_ARG, INTERNAL = "invalid argument", "internal"


class Family:
    """Of metrics; Triton takes a series of one name once."""

    COUNTER, GAUGE = "counter", "gauge"
    made: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}

    def __init__(self, name: str, description: str, kind: str) -> None:
        assert name not in self.made and description
        self.values = self.made[name] = {}
        self.kind = kind

    def Metric(self, labels: dict[str, str]) -> Metric:  # Triton's name
        return Metric(self, tuple(labels.items()))


class Metric:
    def __init__(self, family: Family, labels: tuple[tuple[str, str], ...]) -> None:
        assert labels not in family.values
        self.family, self.labels = family, labels
        family.values[labels] = 0.0

    def increment(self, amount: float) -> None:
        assert self.family.kind == Family.COUNTER and amount >= 0
        self.family.values[self.labels] += amount

    def set(self, value: float) -> None:
        assert self.family.kind == Family.GAUGE
        self.family.values[self.labels] = value


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Our module, beside a stand-in of what it can be imported with."""
    triton: Any = ModuleType("triton_python_backend_utils")
    triton.Tensor, triton.InferenceResponse, triton.TritonError = Tensor, Response, Error
    triton.MetricFamily = type("MetricFamily", (Family,), {"made": {}})
    monkeypatch.setitem(sys.modules, triton.__name__, triton)
    return reload(import_module("m2trec_merlin.serving.runtime.python_backend"))


def texts(name: str, *entries: str) -> Tensor:
    return Tensor(name, np.array([[entry.encode() for entry in entries]], dtype=object))


def model_of(backend: ModuleType, shop: Shop, monkeypatch: pytest.MonkeyPatch, counts: str) -> Any:
    for name, value in ServerSettings(under_way=counts).variables().items():
        monkeypatch.setenv(name, value)
    model = type("Model", (backend.StepModel,), {"step_class": PreprocessStep})()
    folder = shop.preprocess
    told = {"model_repository": str(folder.parent), "model_version": folder.name, "model_name": PREPROCESS}
    model.initialize(told)
    return model


GOOD = [texts("item_ids", "sku-1", "sku-2")]
FAULTY = [texts("item_ids", "sku-1"), texts("options", '{"top_k": 0}')]


def test_each_request_of_a_batch_has_its_tensors_or_its_error_and_is_counted(
    backend: ModuleType, shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = model_of(backend, shop, monkeypatch, str(tmp_path))
    good, faulty, named = model.execute([Request(GOOD), Request(FAULTY, "mine"), Request(GOOD, "\xff")])
    for each in (good, named):
        assert each.error is None and {tensor.name() for tensor in each.output_tensors} >= {"rows"}
    assert faulty.error.code == Error.INVALID_ARG and "top_k" in faulty.error.message
    assert list(read_counts(tmp_path, PREPROCESS).values()) == [Counts(3, 2, 1)]

    def fails(*given: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(model.worker, "answer", fails)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        model.execute([Request(GOOD), Request(GOOD)])
    [counts] = read_counts(tmp_path, PREPROCESS).values()
    assert counts == Counts(5, 2, 3) and counts.left == counts.taken, "nothing is waited for"
    model.finalize()


def test_a_fault_of_the_server_is_not_one_of_the_request(
    backend: ModuleType, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(backend, shop, monkeypatch, "")

    def cannot(*given: object) -> None:
        raise MissingDependencyError("raw attributes need NVTabular in the server's Python")

    monkeypatch.setattr(NewItemEncoder, "encode", cannot)
    of_attributes = [texts("item_ids", ""), texts("item_attributes", '{"product_name": "red bread"}')]
    failed, refused = model.execute([Request(of_attributes), Request(FAULTY)])
    assert failed.error.code == Error.INTERNAL and "need NVTabular" in failed.error.message
    assert refused.error.code == Error.INVALID_ARG
    model.finalize()
    counted = backend.backend.MetricFamily.made["m2trec_requests_total"]
    assert sorted(dict(labels)["outcome"] for labels, count in counted.items() if count) == [
        "failed",
        "refused",
    ]


def test_nothing_is_counted_where_nobody_asks(
    backend: ModuleType, shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = model_of(backend, shop, monkeypatch, "")
    [response] = model.execute([Request(GOOD)])
    assert response.error is None and not list(tmp_path.iterdir())
    model.finalize()


@pytest.mark.parametrize("kind", ["counted", "triton"])
def test_sinks_take_series_that_are_new_and_such_that_are_not(backend: ModuleType, kind: str) -> None:
    """The contract of `Sink`, of Triton's and of the one that tests count by."""
    sink: Any = Counted() if kind == "counted" else backend.TritonMetrics()
    name = backend.METRICS[0].series[0]
    one: Series = (name, (("step", "a"),))
    other: Series = (name, (("step", "b"),))
    for series, amount in ((one, 0.0), (one, 2.0), (other, 1.0), (one, 0.5)):
        sink.add(series, amount)
    gauge: Series = ("m2trec_catalogue_items", (("model", "x"),))
    sink.set(gauge, 7.0)
    sink.set(gauge, 5.0)
    if kind == "counted":
        found = {series: sink.values[series] for series in (one, other, gauge)}
    else:
        made = sys.modules["triton_python_backend_utils"].MetricFamily.made
        found = {(name, labels): made[name][labels] for name, labels in (one, other, gauge)}
    assert found == {one: 2.5, other: 1.0, gauge: 5.0}

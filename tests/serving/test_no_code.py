"""What an export holds is data: it runs no code when it is loaded, but for the model.py that Triton runs."""

from __future__ import annotations

import pickle
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.contract.names import ENSEMBLE, PREDICT, PREPROCESS
from m2trec_merlin.serving.runtime.steps import PredictStep, PreprocessStep
from m2trec_merlin.workflows.items import encode_items
from m2trec_merlin.workflows.storage import load_workflow
from tests.worlds.shop import Shop, raw_items

#: What each ending begins with, as far as it says so.
BEGINS = {
    ".parquet": b"PAR1",
    ".npy": b"\x93NUMPY",
    ".json": b"{",
    ".onnx": b"",
    ".pbtxt": b"",
    ".py": b'"""',
    ".md": b"# ",
}


def test_no_file_of_an_export_is_a_pickle(shop: Shop) -> None:
    exported = [path for path in shop.repository.rglob("*") if path.is_file()]
    # Compiled copies of the models' code are Python's own, where Triton has served the shop before.
    files = [path for path in exported if path.parent.name != "__pycache__"]
    assert len(files) > 15
    for path in files:
        content = path.read_bytes()
        assert content.startswith(BEGINS[path.suffix])
        with pytest.raises(
            (pickle.UnpicklingError, EOFError, ValueError, IndexError, AttributeError, KeyError)
        ):
            pickle.loads(content)
        if path.suffix == ".npy":
            assert not np.load(path, allow_pickle=False).dtype.hasobject
    models = {path.parent.parent.name for path in files if path.suffix == ".py"}
    assert models == {PREPROCESS, PREDICT} and ENSEMBLE not in models


def test_nothing_is_unpickled_while_a_server_loads_and_answers(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("something is unpickled")

    for module in (pickle, cloudpickle):
        for name in ("load", "loads"):
            monkeypatch.setattr(module, name, refuse)
    monkeypatch.setattr(pickle, "Unpickler", refuse)
    raw = b'{"product_name": "red bread", "department": "dairy", "tags": ["local"], "price": 2}'
    session = {
        "item_ids": np.array([[b"sku-1", b""]], object),
        "item_attributes": np.array([[b"", raw]], object),
    }
    [read] = PreprocessStep(shop.preprocess).answer([session])
    assert isinstance(read, dict) and read["rows"].tolist() == [[2, -1]]
    [answer] = PredictStep(shop.predict).answer([read])
    assert isinstance(answer, dict) and answer["scores"].shape == (1, 5)


def test_the_exported_workflow_encodes_all_items_as_the_catalogue_has_them(shop: Shop) -> None:
    encoded = encode_items(load_workflow(shop.preprocess / "items_workflow"), raw_items())
    path = Path(shop.workflow.parent, "catalogue", "items.parquet")
    catalogue = pd.read_parquet(path).set_index("item_id").loc[encoded["item_id"]]
    for name in ("title", "tags", "image"):
        pairs = zip(encoded[name], catalogue[name], strict=True)
        assert all(ours.tobytes() == theirs.tobytes() for ours, theirs in pairs)
    for name in ("department", "price"):
        assert encoded[name].to_numpy().tobytes() == catalogue[name].to_numpy().tobytes()

"""Both workflows, and fitting, on frames that are no pandas type and know names of cuDF alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from m2trec_merlin.artifacts import read_json
from m2trec_merlin.config import Config
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.preprocessing.run import preprocess
from tests.frames import keyhole
from tests.told import Told
from tests.worlds.raw_run import ITEMS, SESSIONS, make_config, write_data


@pytest.fixture(params=["keyhole", "keyhole of 2023", pytest.param("cudf", marks=pytest.mark.gpu)])
def cudf(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.param == "cudf":
        pytest.importorskip("cudf", reason="cuDF is not installed: extra gpu", exc_type=ImportError)
        yield
        return
    keyhole.SORTED["factorize"] = request.param.endswith("2023")
    with keyhole.installed():
        yield
    keyhole.SORTED["factorize"] = False


def on(config: Config, name: str) -> Config:
    preprocessing = config.preprocessing.model_copy(update={"device": name})
    return config.model_copy(update={"preprocessing": preprocessing})


def files(folder: Path) -> dict[str, object]:
    """All that preprocessed/ holds, the fitted workflow included, but for the manifests, which tell times."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            found[str(path.relative_to(folder))] = pq.read_table(path)
        elif path.suffix == ".json" and path.name != "manifest.json":
            found[str(path.relative_to(folder))] = json.loads(path.read_text())
    return found


def both(config: Config) -> list[dict[str, object]]:
    written = []
    for name in ("cpu", "cuda"):
        folder = preprocess(on(config, name), force=True)
        written.append({**files(folder), "counts": read_json(folder / "manifest.json")["sessions"]})
    return written


@pytest.mark.parametrize("sessions_per_part", [1, 100])
def test_it_writes_what_the_cpu_writes(cudf: None, tmp_path: Path, sessions_per_part: int) -> None:
    write_data(tmp_path, sessions_per_part=sessions_per_part)
    on_cpu, on_gpu = both(make_config(tmp_path))
    assert len(on_cpu) > 8
    assert on_gpu == on_cpu


def test_it_does_so_for_ids_of_any_kind_and_events_of_unknown_items(cudf: None, tmp_path: Path) -> None:
    unknown = {**SESSIONS, "train": {**SESSIONS["train"], "g": [11, 99, 12], "h": [99, 98]}}
    beyond = {
        split: {n: [2**53 + i for i in s] for n, s in lines.items()} for split, lines in unknown.items()
    }
    texts = {
        split: {n: [f"sku {i}" for i in s] for n, s in lines.items()} for split, lines in unknown.items()
    }
    for name, ids, sessions in (
        ("beyond", ITEMS["item_id"] + 2**53, beyond),
        ("texts", "sku " + ITEMS["item_id"].astype(str), texts),
    ):
        folder = tmp_path / name
        write_data(folder, ITEMS.assign(item_id=ids), sessions, sessions_per_part=100)
        on_cpu, on_gpu = both(make_config(folder))
        assert on_gpu == on_cpu
        assert on_cpu["counts"]["train"]["unknown_items_dropped"] == 3  # type: ignore[index]


#: Titles in which some library of strings differs from another one, or from HuggingFace's tokenizers, and the
#: ids as they were committed: whoever changes them breaks models that exist. (Once: marks that nobody sees.)
GOLDEN = json.loads(Path(__file__).with_name("golden_ids.json").read_text())


def test_ids_of_adversarial_titles_are_golden(cudf: None, tmp_path: Path) -> None:
    titles = GOLDEN["titles"]
    items = pd.DataFrame({"item_id": np.arange(len(titles)), "title": titles, "tag": titles})
    sessions: dict[str, dict[Any, list[Any]]] = {"valid": {"v": [1, 2]}, "test": {"t": [3, 4]}}
    sessions["train"] = {"s": list(range(len(titles)))}
    write_data(tmp_path, items, sessions)
    attributes = [
        {"name": "title", "kind": "text", "max_tokens": 12, "vocabulary_size": 150},
        {"name": "tag", "kind": "categorical"},
    ]
    found = []
    for name in ("cpu", "cuda"):
        config = make_config(tmp_path, attributes, max_session_length=len(titles))
        folder = preprocess(on(config, name), force=True)
        table = pq.read_table(folder / "catalogue" / "items.parquet").sort_by("item_id")
        found.append({name: table.column(name).to_pylist() for name in ("title", "tag")})
    assert found[0] == found[1]
    assert found[0] == {name: GOLDEN[name] for name in found[0]}


def test_a_machine_without_cudf_says_what_it_would_gain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    write_data(tmp_path)
    told = Told()
    preprocess(make_config(tmp_path), progress=told)
    assert "preprocessing on the CPU: cuDF is not installed" in told.text
    with pytest.raises(ConfigError, match=r"preprocessing\.device is 'cuda', but cuDF is not installed"):
        preprocess(on(make_config(tmp_path), "cuda"), force=True)

"""A shop with every kind of attribute: a real catalogue, a real items workflow, an untrained model, exported.

`offline_scores` gives the same answers as the server, by the model itself, in torch, one session at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.column_names import LISTED, SESSION_ID
from m2trec_merlin.config import Config
from m2trec_merlin.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.encoded import FIRST_VALUE, Layout
from m2trec_merlin.manifests import write_manifest
from m2trec_merlin.model.m2trec import M2TRec, build_model
from m2trec_merlin.model.storage import save_model
from m2trec_merlin.preprocessing.items import build_catalogue
from m2trec_merlin.runs.settings import LONGEST_SESSION
from m2trec_merlin.sessions import IS_TARGET, Sessions
from m2trec_merlin.workflows.items import encode_items
from m2trec_merlin.workflows.storage import load_workflow

N_ITEMS, N_SEEN, MAX_LENGTH = 30, 24, 6
DEPARTMENTS = ["produce", "bakery", "dairy"]
#: A name of a folder: all that a shell, a pattern of file names or a terminal's markup would misunderstand.
UNPLAIN = "my Käse 'n' \"Brot\" (1) [bold] {a,b} $HOME; true & * ? # ~ `x` \\ 店"
#: Sessions of catalogue rows, for what is made of sessions at the export.
TRAIN = [[1, 2, 3], [2, 3, 4], [1, 5], [3, 1, 6, 7], [8, 9, 2], [2, 5, 3]]
#: Likewise, of validation: item 26 never sold in training.
VALID = [[10, 11], [12, 26]]


@dataclass(frozen=True)
class Shop:
    config: Config
    catalogue: Catalogue
    model: M2TRec
    repository: Path

    @property
    def preprocess(self) -> Path:
        return version_folder(self.repository, PREPROCESS)

    @property
    def predict(self) -> Path:
        return version_folder(self.repository, PREDICT)

    @property
    def workflow(self) -> Path:
        return self.config.directory / "preprocessed" / "items_workflow"


def shop_config(directory: Path, **model: object) -> Config:
    return Config.model_validate(
        {
            "name": "shop",
            "work_dir": directory,
            "data": {"max_session_length": MAX_LENGTH},
            "attributes": [
                {"name": "title", "kind": "text", "column": "product_name", "vocabulary_size": 60},
                {"name": "department", "kind": "categorical"},
                {"name": "tags", "kind": "multi_categorical"},
                {"name": "price", "kind": "numeric", "log": True},
                {"name": "image", "kind": "vector", "size": 3},
            ],
            "model": {
                "width": 16,
                "session": {"heads": 2, "layers": 1, "feedforward": 32},
                "next_attributes": [{"attribute": "department"}],
                **model,
            },
            "serving": {"top_k": 5, "top_categories": 2, "mixture": {"kind": "off"}},
        }
    )


def raw_items() -> pd.DataFrame:
    number = np.arange(N_ITEMS)
    colours = np.array(["red", "green", "blue", "white"])[number % 4]
    goods = np.array(["apple", "bread", "milk"])[number % 3]
    return pd.DataFrame(
        {
            "item_id": [f"sku-{i}" for i in number],
            "product_name": [f"{c} {g} {i % 5}" for c, g, i in zip(colours, goods, number, strict=True)],
            "department": np.array(DEPARTMENTS)[number % 3],
            "tags": np.array(["organic|local", "local", None, "sale | organic"], object)[number % 4],
            "price": 1.0 + number,
            "image": list(np.random.default_rng(1).normal(size=(N_ITEMS, 3))),
        }
    )


def build_shop(
    directory: Path,
    more_items: pd.DataFrame | None = None,
    listed: Sequence[int] | None = None,
    sessions: Sessions | None = None,
    **model: object,
) -> tuple[Config, Catalogue, M2TRec]:
    """Write `preprocessed/` and `model/` of a run whose model has random weights, biases included.

    Args:
        directory: of the run.
        more_items: behind the others, without training occurrences.
        listed: items that were listed when training was over; all others before. None: nobody knows.
        sessions: of training; None: `TRAIN`.
        model: settings of the section.
    """
    config = shop_config(directory, **model)
    interactions = directory / "data" / "interactions"
    for split in ("train", "valid"):
        (interactions / split).mkdir(parents=True)
    # Item i occurs N_SEEN - i times, so that the order of the catalogue is that of the items. Nothing is cut.
    sold = [(f"s{n}-{i // MAX_LENGTH}", f"sku-{i}") for i in range(N_SEEN) for n in range(N_SEEN - i)]
    events = pd.DataFrame(sold, columns=["session_id", "item_id"]).sort_values("session_id", kind="stable")
    events["position"] = events.groupby("session_id").cumcount()
    events["timestamp"] = pd.date_range("2026-01-01", periods=len(events), freq="min").astype(
        "datetime64[us]"
    )
    events.to_parquet(interactions / "train" / "part-00000.parquet", index=False)
    later = [
        (f"v{n}", f"sku-{row - 1}", place) for n, rows in enumerate(VALID) for place, row in enumerate(rows)
    ]
    valid = pd.DataFrame(later, columns=["session_id", "item_id", "position"])
    valid["timestamp"] = events["timestamp"].max() + pd.to_timedelta(valid.index + 1, "min")
    valid.to_parquet(interactions / "valid" / "part-00000.parquet", index=False)
    items = raw_items() if more_items is None else pd.concat([raw_items(), more_items])
    if listed is not None:
        items[LISTED] = events["timestamp"].min()
        items.loc[[*listed], LISTED] = events["timestamp"].max() + pd.Timedelta(1, "D")
    items.to_parquet(directory / "data" / "items.parquet", index=False)
    preprocessed = directory / "preprocessed"
    build_catalogue(config, directory / "data", preprocessed)
    catalogue = Catalogue.load(preprocessed / "catalogue")
    sessions, later_ones = sessions or Sessions.from_lists(TRAIN), Sessions.from_lists(VALID)
    if sessions.is_target is not None:
        later_ones = replace(later_ones, is_target=np.ones(len(later_ones.rows), bool))
    write_sessions(sessions, preprocessed / "sessions" / "train")
    write_sessions(later_ones, preprocessed / "sessions" / "valid")
    counts = {"sessions": len(sessions), "events": len(sessions.rows), LONGEST_SESSION: MAX_LENGTH}
    write_manifest(preprocessed, "preprocess", {}, sessions={"train": counts})
    torch.manual_seed(3)
    model_ = build_model(config, catalogue).eval()
    with torch.no_grad():
        for parameter in model_.parameters():
            if parameter.dim() < 2 or not parameter.any():
                parameter.add_(torch.randn_like(parameter) * 0.3)
    save_model(model_, directory / "model", config, catalogue)
    write_manifest(directory / "model", "train", {})
    return config, catalogue, model_


def write_sessions(sessions: Sessions, folder: Path) -> None:
    """Write sessions as preprocessing does, and which of their events may be targets, where that is told."""
    folder.mkdir(parents=True)
    columns = {"row": sessions.rows, IS_TARGET: sessions.is_target}
    ids = {SESSION_ID: [f"{folder.name}-{number}" for number in range(len(sessions))]}
    lists = {
        name: pa.LargeListArray.from_arrays(sessions.offsets, values)
        for name, values in columns.items()
        if values is not None
    }
    pq.write_table(pa.table({**ids, **lists}), folder / "part-00000.parquet")


@torch.inference_mode()
def offline_scores(shop: Shop, session: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Scores of all rows [N] and probabilities of departments, for item ids and raw items (dicts)."""
    model, rows = shop.model, []
    vectors = []
    for item in session[-model.max_length :]:
        if isinstance(item, dict):
            rows.append(0)
            vectors.append(model.item_encoder(encode_raw(shop, item)).described)
        else:
            rows.append(int(shop.catalogue.rows_of([item])[0]))
            vectors.append(model.encode_rows(torch.tensor(rows[-1:])).described)
    items, length = torch.cat(vectors).unsqueeze(0), torch.tensor([len(rows)])
    vector = model.session_encoder.encode_last(items, length)
    taken = session[-model.max_length :]
    counted = torch.tensor([[item not in taken[place + 1 :] for place, item in enumerate(taken)]])
    all_rows = torch.arange(shop.catalogue.n_rows)
    head = model.next_item_head
    everything = model.encode_rows(all_rows)
    candidates = head.candidate_vectors(everything, all_rows)
    query = head.queries_padded(vector, items, counted, length)[0]
    scores = query @ candidates.T + head.candidate_biases(everything, all_rows)
    if head.repeat_biases is not None:
        for row in {row for row in rows if row}:
            distance = rows[::-1].index(row)
            scores[row] += head.repeat_biases[distance]
    scores[0] = -torch.inf
    departments = model.next_attributes["department"](vector)[0, FIRST_VALUE:].softmax(0)
    return scores.numpy(), departments.numpy()


def encode_raw(shop: Shop, item: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Encode one raw item with the items workflow as it was saved by preprocessing."""
    encoded = encode_items(load_workflow(shop.workflow), pd.DataFrame([item]))
    tensors = {}
    for attribute in shop.config.attributes:
        value = encoded[attribute.name].iloc[0]
        if attribute.layout is Layout.ID_LISTS:
            tensors[f"{attribute.name}__values"] = torch.tensor(list(value), dtype=torch.int64)
            tensors[f"{attribute.name}__offsets"] = torch.tensor([0, len(value)])
        elif attribute.layout is Layout.VECTORS:
            tensors[attribute.name] = torch.tensor([list(value)], dtype=torch.float32)
        else:
            kind = torch.int64 if attribute.layout is Layout.IDS else torch.float32
            tensors[attribute.name] = torch.tensor([value], dtype=kind)
    return tensors

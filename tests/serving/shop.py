"""A tiny shop with every kind of attribute: a real catalogue, a real items workflow, an untrained model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from m2trec_merlin.artifacts import write_manifest
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.model.m2trec import M2TRec, build_model
from m2trec_merlin.model.storage import save_model
from m2trec_merlin.preprocessing.items import build_catalogue

N_ITEMS, N_SEEN, MAX_LENGTH = 30, 24, 6
DEPARTMENTS = ["produce", "bakery", "dairy"]


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
            "serving": {"top_k": 5, "top_categories": 2},
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


def build_shop(directory: Path, **model: object) -> tuple[Config, Catalogue, M2TRec]:
    """Write `preprocessed/` and `model/` of a run whose model has random weights, biases included."""
    config = shop_config(directory, **model)
    train = directory / "data" / "interactions" / "train"
    train.mkdir(parents=True)
    # Item i occurs N_SEEN - i times, so that the order of the catalogue is that of the items.
    sessions = [(f"s{n}", f"sku-{i}") for i in range(N_SEEN) for n in range(N_SEEN - i)]
    events = pd.DataFrame(sessions, columns=["session_id", "item_id"]).sort_values(
        "session_id", kind="stable"
    )
    events["position"] = events.groupby("session_id").cumcount()
    events.to_parquet(train / "part-00000.parquet", index=False)
    raw_items().to_parquet(directory / "data" / "items.parquet", index=False)
    preprocessed = directory / "preprocessed"
    build_catalogue(config, directory / "data", preprocessed)
    write_manifest(preprocessed, "preprocess", {})
    catalogue = Catalogue.load(preprocessed / "catalogue")
    torch.manual_seed(3)
    model_ = build_model(config, catalogue).eval()
    with torch.no_grad():
        for parameter in model_.parameters():
            if parameter.dim() < 2 or not parameter.any():
                parameter.add_(torch.randn_like(parameter) * 0.3)
    save_model(model_, directory / "model", config, catalogue)
    write_manifest(directory / "model", "train", {})
    return config, catalogue, model_

"""The same answers as the server's, computed with the model itself, in torch, one session at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from m2trec_merlin.encoded import FIRST_VALUE, Layout
from m2trec_merlin.merlin_adapter import load_workflow
from m2trec_merlin.workflows.items import encode_items
from tests.serving.conftest import Shop


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
    counted = torch.tensor([[row == 0 or row not in rows[place + 1 :] for place, row in enumerate(rows)]])
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

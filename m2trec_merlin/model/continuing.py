"""Copies an earlier model's weights although vocabularies have grown and items have other rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from m2trec_merlin.encoded import FIRST_VALUE, NO_ITEM, OUT_OF_VOCABULARY
from m2trec_merlin.model.attribute_encoders import CategoricalEncoder, ListEncoder
from m2trec_merlin.model.expected_popularity import ExpectedPopularity
from m2trec_merlin.model.item_ids import ItemIdEncoder, NearItems
from m2trec_merlin.model.m2trec import M2TRec
from m2trec_merlin.model.sparse_table import SparseTable
from m2trec_merlin.model.tasks import NextAttribute


def take_over(model: M2TRec, earlier: M2TRec, row_of: np.ndarray) -> None:
    """Replace a new model's weights by those of an earlier one.

    A value that is new to a vocabulary starts with the vector of the unknown value, which stood for it in the
    earlier model. Items that are new to training start as in a new model, and so do the outputs for new
    values. What is fitted to the catalogue before training (`fit_before_training`) is left as it is.

    Args:
        model: the new model, with the same settings and widths; its vocabularies extend the earlier ones.
        earlier: the trained model.
        row_of: current catalogue row of each earlier row's item, int64 [rows of the earlier catalogue];
            NO_ITEM for items that are gone.
    """
    n_before, n_now = earlier.next_item_task.n_seen, model.next_item_task.n_seen
    then = np.arange(NO_ITEM + 1, n_before + 1)
    kept = then[(row_of[then] != NO_ITEM) & (row_of[then] <= n_now)]
    old, new = torch.from_numpy(kept), torch.from_numpy(row_of[kept])
    offsets, grown = dict(_tables_of_items(model)), dict(_tables_of_values(model))
    fitted = tuple(
        f"{name}."
        for name, module in model.named_modules()
        if isinstance(module, ExpectedPopularity | NearItems)
    )
    before = earlier.state_dict()
    for name, weights in model.state_dict().items():
        learned = before[name]
        if name.startswith(fitted):
            continue
        if name in offsets:
            weights[: offsets[name] + 1] = learned[: offsets[name] + 1]
            weights[new + offsets[name]] = learned[old + offsets[name]]
        elif name in grown:
            weights[: len(learned)] = learned
            if grown[name]:
                weights[len(learned) :] = learned[OUT_OF_VOCABULARY]
        else:
            weights.copy_(learned)


def _tables_of_items(model: M2TRec) -> Iterator[tuple[str, int]]:
    """Yield the names of weights that have a row per training item, and that row minus the catalogue row."""
    head = model.next_item_head
    in_head = {id(module) for module in head.modules() if isinstance(module, SparseTable)}
    for name, module in model.named_modules():
        if id(module) in in_head:
            yield f"{name}.weight", 0
        elif isinstance(module, ItemIdEncoder):
            yield f"{name}.embedding.weight", FIRST_VALUE - 1


def _tables_of_values(model: M2TRec) -> Iterator[tuple[str, bool]]:
    """Yield the names of weights with a row per value of a vocabulary, and whether "unknown" has a row."""
    for name, module in model.named_modules():
        if isinstance(module, CategoricalEncoder | ListEncoder):
            yield f"{name}.embedding.weight", True
        elif isinstance(module, NextAttribute):
            yield f"{name}.output.weight", False
            yield f"{name}.output.bias", False

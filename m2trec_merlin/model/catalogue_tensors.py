"""The catalogue as tensors: looks up the encoded attributes of catalogue rows.

Shapes: N catalogue rows, NO_ITEM included, n requested rows, V flat list values.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.encoded import (
    FIRST_VALUE,
    NO_ITEM,
    OFFSETS,
    OUT_OF_VOCABULARY,
    PADDING,
    VALUES,
    EncodedColumn,
    EncodedItems,
    Field,
    Layout,
    to_tensors,
)
from m2trec_merlin.frames import Frames
from m2trec_merlin.model.lists import Lists

#: Encoded attributes of n items, by tensor name (`encoded.Field.tensor_names`). Padded lists, [n, K] (see
#: `Lists`), have no offsets.
EncodedAttributes = dict[str, Tensor]

#: On a GPU, lists are padded if that takes at most this many places per value. Attributes with longer lists
#: stay ragged, and each look-up waits for the GPU to tell their total length.
MOST_PLACES = 8


def id_column(catalogue: Catalogue) -> EncodedColumn:
    """Return the item id as a categorical attribute, for the id-based variants only.

    Each training item has an id of its own; all other items share the out-of-vocabulary id.
    """
    rows = np.arange(catalogue.n_rows, dtype=np.int64)
    seen = (rows != NO_ITEM) & (rows <= catalogue.n_seen)
    values = np.where(seen, rows + FIRST_VALUE - 1, OUT_OF_VOCABULARY)
    return EncodedColumn(Field(ITEM_ID, Layout.IDS, catalogue.n_seen + FIRST_VALUE), values)


class CatalogueTensors(nn.Module):
    """The attributes of all catalogue rows as buffers; they are data, so they are not saved with the model.

    Args:
        columns: the attributes to hold.

    Attributes:
        ragged: names of the attributes whose longest list is too long for padding on a GPU.
    """

    def __init__(self, columns: list[EncodedColumn]) -> None:
        super().__init__()
        self.fields = [column.field for column in columns]
        self._longest: dict[str, int] = {}
        self.ragged: list[str] = []
        for column in columns:
            self._hold(f"{column.field.name}{VALUES}", column.values)
            if column.offsets is not None:
                self._hold(f"{column.field.name}{OFFSETS}", column.offsets)
                longest = int(np.diff(column.offsets).max(initial=1))
                if longest * len(column) > MOST_PLACES * len(column.values):
                    self.ragged.append(column.field.name)
                self._longest[column.field.name] = longest

    def _hold(self, name: str, values: np.ndarray) -> None:
        tensor = torch.from_numpy(np.ascontiguousarray(values))
        # int32 halves the memory of the largest buffers; look-ups widen what they return.
        self.register_buffer(
            name,
            tensor.int() if name.endswith(VALUES) and not tensor.is_floating_point() else tensor,
            persistent=False,
        )

    def read(self, frames: Frames, path: Path) -> None:
        """Replace the attributes by those in a catalogue file, read into the memory that `frames` uses.

        Args:
            frames: library of data frames that reads the file.
            path: the file; line i holds row i + 1 of the catalogue.
        """
        for field in self.fields:
            if field.name == ITEM_ID:
                continue
            if field.layout in (Layout.IDS, Layout.NUMBERS):
                values = torch.as_tensor(frames.read_values(path, field.name))
            else:
                values, lengths = map(torch.as_tensor, frames.read_lists(path, field.name))
            if field.layout is Layout.ID_LISTS:
                self._put(f"{field.name}{OFFSETS}", lengths.cumsum(0) + 1, 2)
            elif field.layout is Layout.VECTORS:
                values = values.view(-1, field.size)
            self._put(f"{field.name}{VALUES}", values, 1)

    def _put(self, name: str, values: Tensor, n_first: int) -> None:
        """Replace a buffer's values, but keep its first `n_first`, which belong to row NO_ITEM."""
        first = self.get_buffer(name)[:n_first]
        self.register_buffer(
            name, torch.cat([first.to(values.device), values.to(first.dtype)]), persistent=False
        )

    def forward(self, rows: Tensor) -> EncodedAttributes:
        """Look up the attributes of `rows`, int64 [n]."""
        attributes: EncodedAttributes = {}
        for field in self.fields:
            values = self.get_buffer(f"{field.name}{VALUES}")
            if field.layout is Layout.ID_LISTS:
                offsets = self.get_buffer(f"{field.name}{OFFSETS}")
                if values.device.type != "cpu" and field.name not in self.ragged:
                    filled = take_filled(values, offsets, rows, self._longest[field.name])
                    attributes[f"{field.name}{VALUES}"] = filled.long()
                    continue
                flat, offsets = take_ragged(values, offsets, rows)
                attributes |= dict(zip(field.tensor_names, (flat.long(), offsets), strict=True))
            else:
                taken = values[rows]
                attributes[field.name] = taken if taken.is_floating_point() else taken.long()
        return attributes


def lists_of(attributes: EncodedAttributes, name: str) -> Lists:
    """Return the ids of an attribute as lists; an attribute with one id per item gives lists of one place."""
    if name in attributes:
        return Lists(attributes[name].unsqueeze(1), None)
    return Lists(attributes[f"{name}{VALUES}"], attributes.get(f"{name}{OFFSETS}"))


def on_device(columns: EncodedItems, device: torch.device | str = "cpu") -> EncodedAttributes:
    """Return encoded columns as tensors on a device."""
    return {name: torch.from_numpy(array).to(device) for name, array in to_tensors(columns).items()}


def take_filled(values: Tensor, offsets: Tensor, rows: Tensor, longest: int) -> Tensor:
    """Gather lists from a ragged table, padded with PADDING to `longest`, [n, longest]."""
    starts, ends = offsets[rows].unsqueeze(1), offsets[rows + 1].unsqueeze(1)
    places = starts + torch.arange(longest, device=rows.device)
    return values[places.clamp(max=len(values) - 1)].masked_fill(places >= ends, PADDING)


def take_ragged(values: Tensor, offsets: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Gather lists from a ragged table.

    Args:
        values: all lists, concatenated, [V].
        offsets: where each list starts, int64 [N + 1].
        rows: indices of the lists to gather, int64 [n].

    Returns:
        The gathered values and their offsets, int64 [n + 1].
    """
    entries, taken = ragged_entries(offsets, rows)
    return values[entries], taken


def ragged_entries(offsets: Tensor, rows: Tensor, total: int | None = None) -> tuple[Tensor, Tensor]:
    """Return the positions of some lists' values in a ragged table, and the lists' new offsets.

    The arguments are those of `take_ragged`. `total` is the number of values in these lists, if known;
    without it a GPU is waited for.
    """
    starts = offsets[rows]
    lengths = offsets[rows + 1] - starts
    taken = torch.zeros(len(rows) + 1, dtype=torch.long, device=rows.device)
    torch.cumsum(lengths, 0, out=taken[1:])
    total = int(taken[-1]) if total is None else total
    position = torch.arange(total, device=rows.device)
    shift = torch.repeat_interleave(starts - taken[:-1], lengths, output_size=total)
    return position + shift, taken

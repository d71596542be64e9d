"""The catalogue as tensors: look rows up, get their encoded attributes.

Shapes: N catalogue rows, NO_ITEM included, n rows asked for, V flat list values.
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

#: Encoded attributes of n items, by the names of their tensors (`encoded.Field.tensor_names`). Lists that are
#: filled up, [n, K] (see `Lists`), have no offsets.
EncodedAttributes = dict[str, Tensor]

#: Places a value that lists may be filled up to on a GPU; it is asked where the longest list is longer.
MOST_PLACES = 8


def id_column(catalogue: Catalogue) -> EncodedColumn:
    """Return the item id as a categorical attribute, for the id-based variants only.

    Training items have an id each; all others share the out-of-vocabulary id.
    """
    rows = np.arange(catalogue.n_rows, dtype=np.int64)
    seen = (rows != NO_ITEM) & (rows <= catalogue.n_seen)
    values = np.where(seen, rows + FIRST_VALUE - 1, OUT_OF_VOCABULARY)
    return EncodedColumn(Field(ITEM_ID, Layout.IDS, catalogue.n_seen + FIRST_VALUE), values)


class CatalogueTensors(nn.Module):
    """Holds the attributes of all rows; they are data, so they are not saved with the model.

    Args:
        columns: the attributes to hold.

    Attributes:
        ragged: names of those whose longest list is too long to fill others up to it on a GPU.
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
        """Replace the attributes by those of a catalogue's file, read into the memory of `frames`.

        Args:
            frames: that read.
            path: line i holds row i + 1 of the catalogue that this was made from.
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
        """Hold values behind those of row NO_ITEM, of which there are `n_first`."""
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
    """Return the ids of an attribute as lists, of one place each where items have one id."""
    if name in attributes:
        return Lists(attributes[name].unsqueeze(1), None)
    return Lists(attributes[f"{name}{VALUES}"], attributes.get(f"{name}{OFFSETS}"))


def on_device(columns: EncodedItems, device: torch.device | str = "cpu") -> EncodedAttributes:
    """Return encoded columns as tensors."""
    return {name: torch.from_numpy(array).to(device) for name, array in to_tensors(columns).items()}


def take_filled(values: Tensor, offsets: Tensor, rows: Tensor, longest: int) -> Tensor:
    """Gather lists from a ragged table, filled up with PADDING to the longest one, [n, longest]."""
    starts, ends = offsets[rows].unsqueeze(1), offsets[rows + 1].unsqueeze(1)
    places = starts + torch.arange(longest, device=rows.device)
    return values[places.clamp(max=len(values) - 1)].masked_fill(places >= ends, PADDING)


def take_ragged(values: Tensor, offsets: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Gather lists from a ragged table.

    Args:
        values: [V] all lists, one behind the other.
        offsets: int64 [N + 1], where each list starts.
        rows: int64 [n], lists to gather.

    Returns:
        The gathered values and their offsets, int64 [n + 1].
    """
    entries, taken = ragged_entries(offsets, rows)
    return values[entries], taken


def ragged_entries(offsets: Tensor, rows: Tensor, total: int | None = None) -> tuple[Tensor, Tensor]:
    """Return where the values of some lists stand in a ragged table, and their offsets; see `take_ragged`.

    `total` is their number of values, where it is known: a GPU need not be asked for it.
    """
    starts = offsets[rows]
    lengths = offsets[rows + 1] - starts
    taken = torch.zeros(len(rows) + 1, dtype=torch.long, device=rows.device)
    torch.cumsum(lengths, 0, out=taken[1:])
    total = int(taken[-1]) if total is None else total
    position = torch.arange(total, device=rows.device)
    shift = torch.repeat_interleave(starts - taken[:-1], lengths, output_size=total)
    return position + shift, taken

"""Items that the model cannot tell apart, so that what it makes of them can be the same to the bit.

A product of matrices rounds a line by where in the matrix it stands. Items without a history and with equal
attributes would so be ranked by noise: a hit among them is luck, and no tie.

Shape legend: n items, R catalogue rows, V ids of all lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from m2trec_merlin.encoded import PADDING, Field, Layout
from m2trec_merlin.model.catalogue_tensors import EncodedAttributes, lists_of

#: Odd numbers of 64 bits; and rows whose vectors are mixed at a time.
_FACTORS, _AT_ONCE = (-7046029254386353131, -4658895280553007687), 8192


@dataclass(frozen=True)
class Twins:
    """Which rows are like another one before them.

    Attributes:
        rows: int64 [n].
        firsts: int64 [n], the first row that each of them is like.
    """

    rows: Tensor
    firsts: Tensor

    @classmethod
    def of(cls, codes: Tensor) -> Twins:
        """Find rows of equal codes, int64 [R]."""
        _, group_of = codes.unique(return_inverse=True)
        rows = torch.arange(len(codes), device=codes.device)
        first_of_group = rows.new_full((len(codes),), len(codes))
        firsts = first_of_group.scatter_reduce(0, group_of, rows, "amin")[group_of]
        is_later = firsts != rows
        return cls(rows[is_later], firsts[is_later])

    def level(self, values: Tensor, dim: int = 0) -> Tensor:
        """Give rows what the first ones have, in place.

        Args:
            values: of R rows.
            dim: which of its dimensions is that of the rows.
        """
        if len(self.rows):
            values.index_copy_(dim, self.rows, values.index_select(dim, self.firsts))
        return values


def codes_of(fields: Sequence[Field], attributes: EncodedAttributes, told_apart: Tensor) -> Tensor:
    """Return a number of 64 bits for each item, int64 [n]: equal where attributes are.

    Args:
        fields: of the attributes.
        attributes: of the items.
        told_apart: int64 [n], what else tells items apart.
    """
    codes = _mix(told_apart)
    for field in fields:
        if field.layout is Layout.ID_LISTS:
            part = _of_lists(attributes, field.name)
        else:
            lines = attributes[field.name]
            part = torch.cat([_of_lines(some) for some in lines.split(_AT_ONCE)])
        codes = _mix(codes + part)
    return codes


def _of_lists(attributes: EncodedAttributes, name: str) -> Tensor:
    lists = lists_of(attributes, name)
    # Of a value in its list: filled lists have a column a place, others lie one behind the other.
    places = torch.arange(lists.values.shape[-1], device=lists.values.device)
    if lists.offsets is not None:
        places = places - lists.spread(lists.offsets[:-1])
    mixed = _mix(lists.values + _mix(places + 1))
    return lists.total(mixed.masked_fill(lists.values == PADDING, 0))


def _of_lines(values: Tensor) -> Tensor:
    if values.is_floating_point():
        # 0 and -0 are equal, and not in their bits.
        values = (values + 0.0).view(torch.int32).long()
    lines = values.reshape(len(values), -1)
    places = torch.arange(lines.shape[1], device=lines.device)
    return _mix(lines + _mix(places + 1)).sum(1)


def _mix(numbers: Tensor) -> Tensor:
    """Spread what differs over all 64 bits; overflow is meant."""
    for factor in _FACTORS:
        numbers = (numbers ^ _upper(numbers)) * factor
    return numbers ^ _upper(numbers)


def _upper(numbers: Tensor) -> Tensor:
    # A shift fills up with the sign, by which a number and its complement would become the same.
    return (numbers >> 31) & 0x1FFFFFFFF

"""Items that the model cannot tell apart, and that should get bit-identical results.

A matrix product may round equal lines differently, depending on their places in the matrix. Items with equal
attributes and no history would so be ranked by noise, and a hit among them would be luck instead of a tie.

Shape legend: n items, R catalogue rows, V ids of all lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from m2trec_merlin.encoded import PADDING, Field, Layout
from m2trec_merlin.model.catalogue_tensors import EncodedAttributes, lists_of

#: Odd 64-bit factors of the hash, and the number of rows whose vectors are hashed at a time.
_FACTORS, _AT_ONCE = (-7046029254386353131, -4658895280553007687), 8192


@dataclass(frozen=True)
class Twins:
    """Catalogue rows that equal an earlier row.

    Attributes:
        rows: later rows, int64 [n].
        firsts: the first row that each of them equals, int64 [n].
    """

    rows: Tensor
    firsts: Tensor

    @classmethod
    def of(cls, codes: Tensor) -> Twins:
        """Find the rows that have equal codes, int64 [R]."""
        _, group_of = codes.unique(return_inverse=True)
        rows = torch.arange(len(codes), device=codes.device)
        first_of_group = rows.new_full((len(codes),), len(codes))
        firsts = first_of_group.scatter_reduce(0, group_of, rows, "amin")[group_of]
        is_later = firsts != rows
        return cls(rows[is_later], firsts[is_later])

    def level(self, values: Tensor, dim: int = 0) -> Tensor:
        """Copy the values of first rows to the rows that equal them, in place.

        Args:
            values: tensor with one dimension of R rows.
            dim: dimension of the rows.
        """
        if len(self.rows):
            values.index_copy_(dim, self.rows, values.index_select(dim, self.firsts))
        return values


def codes_of(fields: Sequence[Field], attributes: EncodedAttributes, told_apart: Tensor) -> Tensor:
    """Return a 64-bit hash for each item, int64 [n], equal for items with equal attributes.

    Args:
        fields: fields of the attributes.
        attributes: encoded attributes of the items.
        told_apart: further numbers that tell items apart, int64 [n].
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
    # The position of each value in its list: the column of padded lists; ragged lists are concatenated.
    places = torch.arange(lists.values.shape[-1], device=lists.values.device)
    if lists.offsets is not None:
        places = places - lists.spread(lists.offsets[:-1])
    mixed = _mix(lists.values + _mix(places + 1))
    return lists.total(mixed.masked_fill(lists.values == PADDING, 0))


def _of_lines(values: Tensor) -> Tensor:
    if values.is_floating_point():
        # 0 and -0 are equal but differ in their bits; adding 0.0 makes both 0.
        values = (values + 0.0).view(torch.int32).long()
    lines = values.reshape(len(values), -1)
    places = torch.arange(lines.shape[1], device=lines.device)
    return _mix(lines + _mix(places + 1)).sum(1)


def _mix(numbers: Tensor) -> Tensor:
    """Spread differences over all 64 bits; overflow is intended."""
    for factor in _FACTORS:
        numbers = (numbers ^ _upper(numbers)) * factor
    return numbers ^ _upper(numbers)


def _upper(numbers: Tensor) -> Tensor:
    # A shift fills up with the sign bit, so without the mask a number and its complement would collide.
    return (numbers >> 31) & 0x1FFFFFFFF

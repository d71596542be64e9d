"""The changes since an export as plain values, with the rules of adding, updating, removing and hiding.

Nothing here reads or writes files; each method returns new changes, or raises an error that lists all faults.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

from m2trec_merlin.contract.catalogue import Availability, AvailabilityChange
from m2trec_merlin.errors import DataError, name_first, shorten
from m2trec_merlin.readers.near_ids import explain_unknown
from m2trec_merlin.readers.problems import SHOWN
from m2trec_merlin.serving.catalogue.raw_items import Raw, overridden, says


@dataclass(frozen=True)
class Changes:
    """All changes since an export.

    Attributes:
        added: raw attributes of added items, by id.
        updates: raw attributes from updates, by id; other attributes are as exported, or as added.
        removed: ids of removed items.
        availability: availability by id, for items that are not available at all times.
        listed: ids of exported items that were added to an earlier export, and did not sell in training.
    """

    added: Mapping[str, Raw] = field(default_factory=dict)
    updates: Mapping[str, Raw] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()
    availability: Mapping[str, Availability] = field(default_factory=dict)
    listed: frozenset[str] = frozenset()

    @cached_property
    def items(self) -> dict[str, Raw]:
        """All given raw attributes of added or updated items, by id; added items come first."""
        changed = {
            item_id: overridden(raw, self.updates[item_id]) if item_id in self.updates else raw
            for item_id, raw in self.added.items()
        }
        return changed | {item_id: raw for item_id, raw in self.updates.items() if item_id not in changed}


class ChangingCatalogue:
    """The rules of changes to a catalogue.

    Args:
        exported: ids of the export.
        source: file or command that the change comes from, for error messages.
        ids: ids of the export in order, to find ones that are similar to an unknown id.
        is_unsold: function that tells whether an id is that of an exported item that never sold in training.
    """

    def __init__(
        self,
        exported: Container[str],
        source: str,
        ids: Iterable[str] = (),
        is_unsold: Callable[[str], bool] = lambda item_id: False,
    ) -> None:
        self._exported, self._source, self._ids, self._is_unsold = exported, source, ids, is_unsold

    def has(self, changes: Changes, item_id: str) -> bool:
        """Tell whether the catalogue has an item."""
        return item_id in changes.added or (item_id in self._exported and item_id not in changes.removed)

    def add(self, changes: Changes, items: Mapping[str, Raw]) -> Changes:
        """Add new items. An exported item that was removed and is added again has its history back.

        Raises:
            DataError: the catalogue has some of the items already.
        """
        known = [item_id for item_id in items if self.has(changes, item_id)]
        self._refuse(known, "in the catalogue already: to change items, run `m2trec catalog update`")
        return replace(
            changes, added={**changes.added, **items}, removed=changes.removed.difference(items.keys())
        )

    def update(self, changes: Changes, items: Mapping[str, Raw]) -> Changes:
        """Change attributes of items of the catalogue; the items keep their history.

        Args:
            changes: the changes so far.
            items: new attributes by id; attributes that are not named stay as they are.

        Raises:
            DataError: the catalogue lacks some of the items.
        """
        self._require(changes, items)
        before, so_far = changes.items, changes.updates
        said = {
            item_id: overridden(so_far[item_id], raw) if item_id in so_far else raw
            for item_id, raw in items.items()
            if not (item_id in before and says(before[item_id], raw))
        }
        return replace(changes, updates={**changes.updates, **said})

    def remove(self, changes: Changes, item_ids: Iterable[str]) -> Changes:
        """Remove items, whose ids are unknown from then on.

        Raises:
            DataError: the catalogue has no such items.
        """
        gone = dict.fromkeys(item_ids)
        self._require(changes, gone)
        return replace(
            changes,
            added={item_id: raw for item_id, raw in changes.added.items() if item_id not in gone},
            updates={item_id: raw for item_id, raw in changes.updates.items() if item_id not in gone},
            removed=changes.removed.union(gone),
            availability={i: each for i, each in changes.availability.items() if i not in gone},
        )

    def hide(self, changes: Changes, item_ids: Sequence[str], hidden: bool) -> Changes:
        """Stop or resume recommending items; sessions may hold them in any case.

        Raises:
            DataError: the catalogue has no such items.
        """
        return self.make_available(changes, {item_id: {"hidden": hidden} for item_id in item_ids})

    def make_available(self, changes: Changes, said: Mapping[str, AvailabilityChange]) -> Changes:
        """Set when items are available.

        Args:
            changes: the changes so far.
            said: changed fields of `Availability` by id; the other fields stay as they are.

        Raises:
            DataError: the catalogue has no such items, or an item would never be available.
        """
        self._require(changes, said)
        always = Availability()
        given = {
            item_id: replace(changes.availability.get(item_id, always), **each)
            for item_id, each in said.items()
        }
        never = [item_id for item_id, each in given.items() if each.ends_first]
        self._refuse(never, "available until a time that is not after available_from: give both times")
        merged = {**changes.availability, **given}
        kept = {item_id: each for item_id, each in merged.items() if each != always}
        return replace(changes, availability=kept)

    def carry_over(self, changes: Changes, is_same_model: bool) -> Changes:
        """Return what remains of changes that were made to an earlier export.

        Items that were added to the earlier export and are in this one are taken from here. If they have not
        sold in its training, they hardly had time to, and still count as newly listed until another model is
        exported. Updates, removals and availability stay, as far as the items exist.

        Args:
            changes: changes to the earlier export.
            is_same_model: whether the earlier export was of the same model.
        """
        added = {i: raw for i, raw in changes.added.items() if i not in self._exported}
        updates = {i: raw for i, raw in changes.updates.items() if i in self._exported or i in added}
        kept = Changes(added, updates, frozenset(each for each in changes.removed if each in self._exported))
        availability = {i: each for i, each in changes.availability.items() if self.has(kept, i)}
        came = chain(changes.added, changes.listed if is_same_model else ())
        return replace(kept, availability=availability, listed=frozenset(filter(self._is_unsold, came)))

    def _require(self, changes: Changes, item_ids: Iterable[str]) -> None:
        unknown = [item_id for item_id in item_ids if not self.has(changes, item_id)]
        there = (each for each in chain(self._ids, changes.added) if self.has(changes, each))
        near = explain_unknown(unknown[:SHOWN], there)
        self._refuse(unknown, f"not in the catalogue: {near}" if near else "not in the catalogue")

    def _refuse(self, item_ids: Sequence[str], where: str) -> None:
        if item_ids:
            named = name_first(item_ids, lambda item_id: shorten(item_id, 40) or "''")
            subject = f"item {named} is" if len(item_ids) == 1 else f"items {named} are"
            raise DataError(self._source, [f"{subject} {where}"])

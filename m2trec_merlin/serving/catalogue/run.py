"""The verbs of `m2trec catalog`: they change the catalogue of an exported model, also while it is served."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from m2trec_merlin.contract.about import EXPORTED_CATALOGUE
from m2trec_merlin.contract.catalogue import CatalogueVersion, catalogue_folder, current_version
from m2trec_merlin.contract.item_format import ItemFormat
from m2trec_merlin.contract.names import PREDICT
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.errors import ArtifactError, DataError
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.readers.near_ids import explain_unknown
from m2trec_merlin.runs.locks import lock
from m2trec_merlin.serving.catalogue.changes import Changes, ChangingCatalogue
from m2trec_merlin.serving.catalogue.kept import KeptVersions
from m2trec_merlin.serving.catalogue.tables import read_changes, read_ids, read_items
from m2trec_merlin.serving.catalogue.versions import CatalogueVersions
from m2trec_merlin.shares import counted


@dataclass(frozen=True)
class Summary:
    """Summary of the changes since the export.

    Attributes:
        version: number of the served version.
        items: number of its items.
        changed: ids of changed items, by kind of change.
    """

    version: int
    items: int
    changed: dict[str, list[str]]


class CatalogueVerbs:
    """Changes of a catalogue; each makes a new version, which a running server picks up by itself.

    A change without any effect makes no new version; the served version is returned.

    Args:
        repository: Triton's model repository.
        progress: listener for the progress, and for what was ignored.

    Raises:
        ArtifactError: this model cannot take other items, or files are missing or damaged.
    """

    def __init__(self, repository: Path, progress: Progress = SILENT) -> None:
        self._repository, self._progress = repository, progress
        self.versions = CatalogueVersions(repository)

    def add(self, table: Path) -> CatalogueVersion:
        """Add the items of a table.

        Raises:
            DataError: the table is not valid, or the catalogue has some of its items already.
            ArtifactError: another process is at work there, or nothing can be written.
        """
        given = read_items(table, self.versions.format)
        self._tell(given.notices)
        new = [item_id for item_id in given.ids if item_id not in self.versions.exported]
        if near := explain_unknown(new, self.versions.exported_ids):
            self._tell([f"{table}: {near}: added as another item"])

        def change(rules: ChangingCatalogue, changes: Changes) -> Changes:
            changes = rules.add(changes, given.items)
            return rules.make_available(changes, given.availability)

        return self._change(change, str(table), f"add {_some(given.ids)} of {table.name}")

    def update(self, table: Path) -> CatalogueVersion:
        """Change attributes or availability of items of the catalogue by a table.

        Raises:
            DataError: the table is not valid, or the catalogue lacks some of its items.
            ArtifactError: as for `add`.
        """
        given = read_changes(table, self.versions.format)
        self._tell(given.notices)

        def change(rules: ChangingCatalogue, changes: Changes) -> Changes:
            changes = rules.update(changes, given.items)
            return rules.make_available(changes, given.availability)

        return self._change(change, str(table), f"update {_some(given.ids)} of {table.name}")

    def remove(self, item_ids: Sequence[str], table: Path | None = None) -> CatalogueVersion:
        """Remove items from the catalogue.

        Raises:
            DataError: the catalogue has no such items.
            ArtifactError: as for `add`.
        """
        ids = self._ids(item_ids, table)
        return self._change(
            lambda rules, changes: rules.remove(changes, ids), "remove", f"remove {_some(ids)}"
        )

    def hide(
        self, item_ids: Sequence[str], table: Path | None = None, hidden: bool = True
    ) -> CatalogueVersion:
        """Stop recommending items, or resume it.

        Raises:
            DataError: the catalogue has no such items.
            ArtifactError: as for `add`.
        """
        ids, verb = self._ids(item_ids, table), "hide" if hidden else "show"
        return self._change(
            lambda rules, changes: rules.hide(changes, ids, hidden), verb, f"{verb} {_some(ids)}"
        )

    def rollback(self, number: int | None = None) -> CatalogueVersion:
        """Go back to an earlier version; one of another export is made again for this export.

        Args:
            number: number of the version; 0 for the catalogue as exported, None for the current one's parent.

        Raises:
            ArtifactError: the version is not there any more, or as for `add`.
        """
        with self._held():
            if number is None:
                number = self._before()
            self.versions.changes(number)  # is there, and undamaged
            if self.versions.fits(number):
                self.versions.lead_to(number)
                return self.versions.about(number)
            return self.versions.make_again(number, f"rollback to {number}", "rollback", self._progress)

    def summary(self, now: float) -> Summary:
        """Return a summary of the changes since the export.

        Args:
            now: time at which items count as available or not, in seconds since 1970.
        """
        number = self.versions.current()
        changes = self.versions.changes(number)
        closed = [i for i, each in changes.availability.items() if not each.hidden and not each.holds_at(now)]
        changed = {
            "added": list(changes.added),
            "updated": list(changes.updates),
            "removed": sorted(changes.removed),
            "hidden": [item_id for item_id, each in changes.availability.items() if each.hidden],
            "not available now": closed,
            "in the export, and newly listed": sorted(changes.listed),
        }
        return Summary(number, self.versions.count_items(changes), changed)

    @contextmanager
    def _held(self) -> Iterator[None]:
        # An export replaces the whole repository and carries changes over, so it must not run meanwhile.
        with lock(self._repository, shared=True), self.versions.changing():
            yield

    def _before(self) -> int:
        try:
            current = self.versions.current()
        except ArtifactError:
            # Nobody can tell which version was served: the newest undamaged one holds all changes so far.
            return self.versions.newest_undamaged()
        if current == 0:
            raise ArtifactError("the catalogue is as it was exported: there is nothing to go back to")
        return self.versions.before(current)

    def _change(
        self, change: Callable[[ChangingCatalogue, Changes], Changes], source: str, did: str
    ) -> CatalogueVersion:
        with self._held():
            parent = self.versions.current()
            rules = self.versions.rules(source)
            before = self.versions.changes(parent)
            changes = change(rules, before)
            if changes == before and self.versions.fits(parent):
                self._progress.say("nothing changes: the catalogue is so already")
                return self.versions.about(parent)
            return self.versions.write(changes, did, self._progress, parent, before)

    def _tell(self, notices: Sequence[str]) -> None:
        for notice in notices:
            self._progress.say(notice)

    def _ids(self, item_ids: Sequence[str], table: Path | None) -> list[str]:
        ids = list(dict.fromkeys([*item_ids, *(read_ids(table, self.versions.format) if table else [])]))
        if not ids:
            raise DataError("catalog", ["no item is named: give ids, or a table of them by --table"])
        return ids


def carry_over(before: Path, after: Path, progress: Progress) -> None:
    """Carry over the catalogue versions of the export that is replaced, with their changes, to a new export.

    Args:
        before: the repository that is replaced, if there is one.
        after: the new repository, sealed.
        progress: listener for what became of the changes.
    """
    past = catalogue_folder(before)
    if not past.is_dir():
        return
    if reason := ItemFormat.open(version_folder(after, PREDICT)).unchangeable:
        progress.say(f"the changes of the catalogue are left behind: this model {reason}")
        return
    shutil.copytree(past, catalogue_folder(after), ignore=shutil.ignore_patterns(".*"))
    versions = CatalogueVersions(after)
    number = versions.current()
    if number == 0 or versions.fits(number):
        return
    made = versions.make_again(number, f"carry version {number} over to another export", "export", progress)
    changes, kept = versions.changes(number), versions.changes(made.number)
    left = changes.items.keys() - kept.items.keys()
    known = sum(item_id in versions.exported for item_id in left)
    progress.say(
        f"the catalogue goes on: {len(kept.items):,} added or updated items are carried over, "
        f"{known:,} are in the new export itself, {len(left) - known:,} updated ones are no items any more; "
        f"{len(kept.removed):,} of its items stay removed, {len(kept.availability):,} hidden or available at "
        "times only; "
        f"{len(kept.listed):,} that have not sold yet count as newly listed until another model is exported"
    )


def left_behind(before: Path, after: Path) -> str:
    """Describe changes of a catalogue that are not in an export in another folder, which inherits none.

    Args:
        before: the repository whose catalogue may have changed.
        after: the repository that is to take its place.

    Returns:
        A line or two; "" if nothing is left behind.

    Raises:
        ArtifactError: files are missing or damaged.
    """
    if current_version(catalogue_folder(before)) == EXPORTED_CATALOGUE:
        return ""
    if reason := ItemFormat.open(version_folder(after, PREDICT)).unchangeable:
        return f"the changes of the catalogue are left behind: this model {reason}"
    new = CatalogueVersions(after)
    old = KeptVersions(catalogue_folder(before), new.columns)
    number, rules = old.current(), new.rules("promote")
    changes = old.changes(number)
    is_same_model = old.about(number).model == new.model
    wanted = rules.carry_over(changes, is_same_model)
    there = new.changes(new.current())
    lacking = {
        "added or updated": [i for i, raw in wanted.items.items() if there.items.get(i) != raw],
        "removed": [i for i in wanted.removed if i not in there.removed],
        "hidden or not always available": [
            i for i, each in wanted.availability.items() if there.availability.get(i) != each
        ],
    }
    told = ", ".join(f"{len(ids):,} {what}" for what, ids in lacking.items() if ids)
    lines = []
    if told:
        lines.append(
            f"changes of the catalogue are left behind in {before}: {told}. "
            "Make them again with `m2trec catalog` before the new model is served"
        )
    if listed := wanted.listed - there.listed:
        lines.append(
            f"of the items that were added there, {len(listed):,} that have not sold since count as newly "
            "listed no more: an export into the same folder keeps that"
        )
    return "\n".join(lines)


def _some(ids: Sequence[str]) -> str:
    return f"item {ids[0]}" if len(ids) == 1 else counted(len(ids), "item")

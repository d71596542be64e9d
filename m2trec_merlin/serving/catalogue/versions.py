"""Writing of catalogue versions: each is written completely, served, and removed when it is old.

Shape legend: M items of a version.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from m2trec_merlin.artifacts import atomic_directory, atomic_write, read_json, reading, writing
from m2trec_merlin.column_names import ITEM_ID, TRAIN_COUNT
from m2trec_merlin.contract.about import EXPORTED_CATALOGUE
from m2trec_merlin.contract.catalogue import (
    ADDED,
    CURRENT,
    HISTORIES,
    RAW_ITEMS,
    UPDATE,
    CatalogueVersion,
    catalogue_folder,
)
from m2trec_merlin.contract.checksums import require_sealed, seal
from m2trec_merlin.contract.identity import export_version, written
from m2trec_merlin.contract.item_format import ItemFormat
from m2trec_merlin.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.contract.version import (
    BIASES,
    CANDIDATE_VECTORS,
    DESCRIPTION,
    ITEM_FORMAT,
    ITEM_VECTORS,
    ITEMS,
)
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.progress import Progress
from m2trec_merlin.rows import RowsOfIds
from m2trec_merlin.runs.locks import lock
from m2trec_merlin.serving.catalogue.changes import Changes, ChangingCatalogue
from m2trec_merlin.serving.catalogue.encoding import EncodedRows, RowEncoder
from m2trec_merlin.serving.catalogue.kept import KeptVersions
from m2trec_merlin.serving.catalogue.raw_items import complete, described_columns

#: Number of versions kept on disk, including the current one. Each holds all changes since the export.
KEPT = 20


class CatalogueVersions(KeptVersions):
    """The catalogue of a model repository with its versions.

    Args:
        repository: Triton's model repository, as exported.

    Raises:
        ArtifactError: this model cannot take other items, or files are missing or damaged.

    Attributes:
        exported: rows of the export, by id.
        exported_ids: ids of the export, in row order.
        format: format of the item tables.
        model: fingerprint of the trained model.
    """

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self._preprocess, self._predict = (version_folder(repository, name) for name in (PREPROCESS, PREDICT))
        require_sealed(self._predict, files=(ITEM_FORMAT, ITEMS, DESCRIPTION))
        self.format = ItemFormat.open(self._predict)
        super().__init__(catalogue_folder(repository), described_columns(self.format))
        if self.format.unchangeable:
            raise ArtifactError(
                f"{repository}: this model {self.format.unchangeable}, so its catalogue cannot change: "
                "train again, or train a model of metadata"
            )
        self._export = export_version(repository)
        self.model: str = read_json(self._predict / DESCRIPTION, "export")["model"]
        with reading(self._predict / ITEMS, "export"):
            table = pq.read_table(self._predict / ITEMS, columns=[ITEM_ID, TRAIN_COUNT])
        self.exported_ids: list[str] = table.column(ITEM_ID).to_pylist()
        self._counts = np.concatenate([[0], table.column(TRAIN_COUNT).to_numpy()])
        self.exported = RowsOfIds(self.exported_ids)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Lock the catalogue for the block, and remove what a killed process left.

        Raises:
            ArtifactError: another process has the lock, nothing can be written there, or the model was
                exported again since the catalogue was opened.
        """
        if export_version(self._repository) != self._export:
            raise ArtifactError(
                f"{self._repository} was exported again meanwhile, and nothing is changed: run the command "
                "once more"
            )
        with writing(self.folder):
            self.folder.mkdir(exist_ok=True)
        with lock(self.folder / "versions"):
            for path in self.folder.glob(".*.tmp"):
                shutil.rmtree(path, ignore_errors=True)
            yield

    def about(self, number: int) -> CatalogueVersion:
        """Return the description of a version; 0 for the catalogue as exported.

        Raises:
            ArtifactError: the version is not there or damaged.
        """
        if str(number) == EXPORTED_CATALOGUE:
            at, items = written(self._predict), len(self.exported_ids)
            return CatalogueVersion(number, number, "as exported", at, self._export, items, model=self.model)
        return super().about(number)

    def rules(self, source: str) -> ChangingCatalogue:
        """Return the rules of changes to this export.

        Args:
            source: file or command that the changes come from.
        """
        return ChangingCatalogue(self.exported, source, self.exported_ids, self._is_unsold)

    def _is_unsold(self, item_id: str) -> bool:
        return item_id in self.exported and bool(self._counts[self.exported.row(item_id)] == 0)

    def count_items(self, changes: Changes) -> int:
        """Return the number of items of the catalogue after changes."""
        added = sum(item_id not in self.exported for item_id in changes.items)
        gone = sum(item_id in self.exported for item_id in changes.removed)
        return len(self.exported_ids) + added - gone

    def make_again(self, number: int, did: str, source: str, progress: Progress) -> CatalogueVersion:
        """Write a version of another export again for this one, and serve it.

        Its parent is the parent of that version, so a rollback leads there.

        Args:
            number: number of the version.
            did: what was done, for people.
            source: file or command that asks for it.
            progress: listener for the progress.

        Raises:
            ArtifactError: the version is not there or damaged, or nothing can be written.
        """
        changes = self.changes(number)
        is_same_model = self.about(number).model == self.model
        kept = self.rules(source).carry_over(changes, is_same_model)
        return self.write(kept, did, progress, self.before(number))

    def write(
        self,
        changes: Changes,
        did: str,
        progress: Progress,
        parent: int,
        before: Changes | None = None,
    ) -> CatalogueVersion:
        """Write changes as the newest version, and serve it.

        Args:
            changes: all changes since the export.
            did: what was changed, for people.
            progress: listener for the progress.
            parent: number of the version before it.
            before: changes of the parent, whose encoded items are reused where they are the same; None to
                encode all items.

        Raises:
            ArtifactError: nothing can be written.
        """
        number = max((*self.numbers(), parent), default=0) + 1
        ids = list(changes.items)
        version = CatalogueVersion(
            number,
            parent,
            did,
            time.time(),
            self._export,
            self.count_items(changes),
            tuple(sorted(changes.removed)),
            changes.availability,
            tuple(sorted(changes.listed)),
            self.model,
        )
        with atomic_directory(self.folder / str(number)) as folder:
            histories = np.array([self.exported.row(item_id) for item_id in ids], np.int64)
            rows = self._encode(changes, histories, parent, before, progress)
            said = {ADDED: map(changes.added.get, ids), UPDATE: map(changes.updates.get, ids)}
            columns = {ITEM_ID: ids, **{name: list(each) for name, each in said.items()}}
            table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
            pq.write_table(table, folder / RAW_ITEMS)
            pq.write_table(rows.shown, folder / ITEMS)
            np.save(folder / ITEM_VECTORS, rows.vectors)
            np.save(folder / CANDIDATE_VECTORS, rows.candidates)
            np.save(folder / BIASES, rows.biases)
            np.save(folder / HISTORIES, histories)
            version.write(folder)
            seal(folder)
        self.lead_to(number)
        # The parent stays, however old it is, as a rollback leads to it.
        for old in {*self.numbers()[:-KEPT]} - {parent}:
            shutil.rmtree(self.folder / str(old), ignore_errors=True)
        return version

    def lead_to(self, number: int) -> None:
        """Serve a version, which must be one of this export."""
        atomic_write(self.folder / CURRENT, str(number))

    def fits(self, number: int) -> bool:
        """Tell whether a version was made for this export."""
        return self.about(number).export == self._export

    def _encode(
        self, changes: Changes, histories: np.ndarray, parent: int, before: Changes | None, progress: Progress
    ) -> EncodedRows:
        """Encode the items that differ from the parent's, and take the rest from there."""
        held = None if before is None else self._encoded(parent)
        there = {} if held is None or before is None else before.items
        ids, items = list(changes.items), changes.items
        fresh = [place for place, item_id in enumerate(ids) if there.get(item_id) != items[item_id]]
        encoder = RowEncoder(self._preprocess, self._predict, self.format)
        counts = self._counts[histories]
        said = {ids[place]: items[ids[place]] for place in fresh}
        exported = filter(self.exported.__contains__, said)
        whole = complete(said, exported, self.format, self._predict)
        encoded = encoder.encode(
            list(whole),
            list(whole.values()),
            histories[fresh],
            counts[fresh],
            [json.loads(raw).keys() for raw in said.values()],
            progress,
        )
        if held is None:
            return encoded
        place_of = {item_id: place for place, item_id in enumerate(there)}
        new = {place: len(there) + number for number, place in enumerate(fresh)}
        taken = np.array([new.get(n, place_of.get(item_id, -1)) for n, item_id in enumerate(ids)], np.int64)
        return EncodedRows(
            pa.concat_tables([held.shown, encoded.shown]).take(pa.array(taken)).combine_chunks(),
            np.concatenate([held.vectors, encoded.vectors])[taken],
            np.concatenate([held.candidates, encoded.candidates])[taken],
            np.concatenate([held.biases, encoded.biases])[taken],
        )

    def _encoded(self, number: int) -> EncodedRows | None:
        """Return the encoded items of a version; None if it was not made for this export."""
        if number == 0 or not self.fits(number):
            return None
        folder = self.folder / str(number)
        arrays = (np.load(folder / name) for name in (ITEM_VECTORS, CANDIDATE_VECTORS, BIASES))
        return EncodedRows(pq.read_table(folder / ITEMS), *arrays)

"""The work of the verb `drift`: compare new data with a run's training data, and write the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pyarrow.parquet as pq

from m2trec_merlin.artifacts import MANIFEST, atomic_directory, read_json, reading
from m2trec_merlin.catalogue import VOCABULARIES, Catalogue
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.drift.measures import Limits, Names, compare_samples
from m2trec_merlin.drift.page import to_html
from m2trec_merlin.drift.result import Drift
from m2trec_merlin.drift.sample import WholeSessions, read_sample
from m2trec_merlin.errors import ArtifactError, NothingToDoError
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.runs import Run, RunFolder
from m2trec_merlin.runs.folder import REPORT_NUMBERS, REPORT_PAGE
from m2trec_merlin.runs.run import step_of
from m2trec_merlin.workflows.storage import load_workflow

#: What to do without the data of an earlier training.
_RESTORE = (
    "drift is measured from the data that the model was trained on. Keep that folder with the run, or "
    "restore it; made anew, it would hold the data of today"
)


def require_data(trained: Run) -> None:
    """Check that the data that a run was trained on are there, and as they were.

    Raises:
        ArtifactError: they are not.
    """
    if not (trained.data / MANIFEST).is_file():
        raise ArtifactError(f"{trained.data} is not there: {_RESTORE}")
    trained.step("data").require_unaltered(remedy=_RESTORE)


def find_drift(new: RunFolder, trained: Run, limits: Limits, progress: Progress = SILENT) -> Drift:
    """Compare the new sessions in new data with those that a run was trained on.

    As for `train --from`, a session is also new if its items have changed, but not if it only lacks items
    that no longer exist. Writes `drift/report.html` and `drift/report.json` beside the new data.

    Args:
        new: the folder of the run with the new `data/`.
        trained: the trained run, with the settings that it was trained with.
        limits: the limits above which a difference is drift.
        progress: receives lines about what is read.

    Raises:
        ArtifactError: data are missing or altered.
        NothingToDoError: no session is new.
    """
    require_data(trained)
    step_of(new, "data").require_unaltered()
    catalogue, workflow = Catalogue.load(trained.catalogue), load_workflow(trained.items_workflow)
    seed = trained.config.seed
    before = read_sample(WholeSessions.of(trained.data, training=True), workflow, catalogue, seed)
    progress.say(f"{trained.data}: {len(before.sessions):,} training sessions")
    with reading(new.items, "data"):
        there = pq.read_table(new.items, columns=[ITEM_ID]).column(ITEM_ID).to_pandas().astype(str)
    known = replace(WholeSessions.of(trained.data), only=frozenset(there)).hashes()
    now = read_sample(WholeSessions.of(new.data), workflow, catalogue, seed, known)
    if not len(now.sessions):
        raise NothingToDoError(
            f"{new.data} holds no session that {trained.data} does not hold: nothing is new"
        )
    progress.say(f"{new.data}: {len(now.sessions):,} sessions are new")
    unread = _unread(new, trained)
    for name, column in unread.items():
        progress.say(f"{name} is not compared: {new.items} was made without its column '{column}'")
    attributes = {attribute.name: attribute for attribute in trained.config.attributes}
    differences = compare_samples(
        before,
        now,
        catalogue,
        _names(catalogue),
        lambda name, encoded: attributes[name].raw_numbers(encoded, workflow),
        limits,
        seed,
        unread,
    )
    page = new.drift / REPORT_PAGE
    drift = Drift(
        new.data, trained.model, len(now.sessions), len(before.sessions), differences, page, list(unread)
    )
    with atomic_directory(new.drift) as folder:
        (folder / REPORT_PAGE).write_text(to_html(drift), encoding="utf-8")
        numbers = json.dumps(drift.as_dict(), indent=1, ensure_ascii=False)
        (folder / REPORT_NUMBERS).write_text(numbers + "\n", encoding="utf-8")
    return drift


def _unread(new: RunFolder, trained: Run) -> dict[str, str]:
    """Return the attributes whose columns are not in the new data, with these columns."""
    with reading(new.items, "data"):
        there = pq.read_schema(new.items).names
    columns = {attribute.name: attribute.source_column for attribute in trained.config.attributes}
    return {name: column for name, column in columns.items() if column not in there}


def _names(catalogue: Catalogue) -> Names:
    """Return a function that gives the values, or pieces of words, of an attribute's ids."""

    def names(attribute: str) -> Sequence[str] | None:
        if attribute in catalogue.categories:
            return catalogue.category_names(attribute)
        if catalogue.directory is None:
            return None
        path = catalogue.directory / VOCABULARIES / f"{attribute}.json"
        if not path.is_file():
            return None
        ids = read_json(path, "preprocess")["model"]["vocab"]
        return sorted(ids, key=ids.__getitem__)

    return names

"""The preprocessed runs that a session measures, from the kit; in a rehearsal, a tiny one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.frame.prepare import Prepared
from benchmarks.gpu.step import Step
from m2trec_merlin.artifacts import atomic_write
from m2trec_merlin.config import Config
from m2trec_merlin.data.preparation import prepare_data
from m2trec_merlin.preprocessing.run import preprocess

CONFIG = "config.json"

_TINY: dict[str, Any] = {
    "name": "tiny",
    "data": {
        "source": "synthetic",
        "options": {"n_sessions": 300, "n_items": 60, "n_categories": 4},
    },
    "attributes": [
        {"name": "title", "kind": "text", "vocabulary_size": 200},
        {"name": "category", "kind": "categorical"},
    ],
    "model": {
        "width": 16,
        "session": {"heads": 2, "feedforward": 32},
        "next_item": {"negatives": 32},
        "next_attributes": [{"attribute": "category"}],
    },
    "training": {"epochs": 1, "batch_size": 64, "validation_prefixes": 100},
}


@contextmanager
def runs_of(step: Step) -> Iterator[list[Prepared]]:
    """Yield the runs of a step: those on its command line, or else a tiny one within the block."""
    if step.runs or not step.rehearsal:
        yield [read_run(folder) for folder in step.runs]
        return
    with TemporaryDirectory() as folder:
        write_run(Config.model_validate(_TINY), Path(folder))
        yield [read_run(Path(folder))]


def write_run(config: Config, folder: Path) -> None:
    """Prepare and preprocess the data of a configuration in a folder, with the configuration beside them.

    Attributes of kind `sentence` are left out: their vectors are a thousand times as large as all the rest.
    """
    attributes = [attribute for attribute in config.attributes if attribute.kind != "sentence"]
    config = config.model_copy(update={"attributes": attributes, "work_dir": folder})
    prepare_data(config)
    preprocess(config)
    # Defaults are left out, so that those of the code that reads the configuration apply.
    content = {**config.model_dump(mode="json", exclude_unset=True), "work_dir": None}
    atomic_write(folder / CONFIG, json.dumps(content, indent=1))


def read_run(folder: Path) -> Prepared:
    """Read a run that `write_run` wrote."""
    content = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    return Prepared(Config.model_validate({**content, "work_dir": folder}))

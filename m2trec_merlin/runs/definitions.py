"""The steps of a run, each said once: what it writes and reads, and which settings its result depends on.

data/ ──► preprocessed/ ──► model/ ──► mixture/ ──► evaluation/, triton/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from m2trec_merlin.artifacts import fingerprint
from m2trec_merlin.config import Config
from m2trec_merlin.runs import settings
from m2trec_merlin.runs.folder import REPORT_NUMBERS, REPORT_PAGE, RunFolder
from m2trec_merlin.runs.settings import Settings

#: The steps that leave a folder, in order.
Verb = Literal["data", "preprocess", "train", "tune", "evaluate", "export"]

#: As `write_manifest` wrote it.
Manifest = dict[str, Any]
#: Of tables by the setting that names them: path and bytes.
Places = dict[str, list[Any]]

#: What manifests call the choice of a mixture that a result was made with, the format of a result, and where
#: the tables are that it was made from.
CHOSEN, FORMAT, PLACES = "chosen", "format", "places"


def _files(manifest: Manifest) -> Any:
    return manifest["sha256"]


def _tables(manifest: Manifest) -> Any:
    reports = (REPORT_PAGE, REPORT_NUMBERS)
    return fingerprint({name: digest for name, digest in manifest["sha256"].items() if name not in reports})


def _encoding(manifest: Manifest) -> Any:
    # What items are shown as is no part of what a model is made of; steps that read it name it themselves.
    return fingerprint({name: v for name, v in manifest["settings"].items() if name != "title_column"})


@dataclass(frozen=True)
class StepDefinition:
    """What a step is, whichever run it belongs to.

    Attributes:
        folder: of a run, which path it writes.
        settings: of a configuration, what the result depends on, by the names that the manifest gives it.
        before: the steps whose results it reads, by what its manifest calls these.
        reads_choice: whether it also reads the choice of a mixture, where that is made on validation.
        of_the_model: whether variants of a model have each their own.
        names: what the configuration file calls settings that the manifest has by another name.
        section: of the configuration file that all other settings stand in; "" for none.
        facts: what no setting tells and the result depends on, too, by what the manifest calls it.
        left_out: settings that the manifest names only where they say something, so that results of before
            they existed stay current.
        identity: what tells one result from another, as the manifests of later steps keep it.
        places: of a configuration, where the tables are that the result is made from; see `places_of_data`.
        format: of what a result means, for steps whose results nothing reads but people: raised when those of
            before are not comparable with today's.
    """

    folder: Callable[[RunFolder], Path]
    settings: Callable[[Config], Settings]
    before: Mapping[str, Verb]
    reads_choice: bool = False
    of_the_model: bool = True
    names: Mapping[str, str] = field(default_factory=dict)
    section: str = ""
    facts: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    identity: Callable[[Manifest], Any] = _files
    places: Callable[[Config], Places] = lambda config: {}
    format: int | None = None

    def earlier(self) -> tuple[str, ...]:
        """Return what a manifest calls the results that this one was made of."""
        return (*self.before, CHOSEN) if self.reads_choice else tuple(self.before)

    def full_name(self, name: str) -> str:
        """Return what the configuration file calls a setting that the manifest calls `name`."""
        first, dot, rest = name.partition(".")
        if first in self.names:
            return f"{self.names[first]}{dot}{rest}"
        return f"{self.section}.{name}" if self.section else name


_OF_A_MODEL: dict[str, Verb] = {"preprocessed": "preprocess", "model": "train"}
#: What decides which prefixes count, and for what.
_SCORED = {name: f"evaluation.{name}" for name in ("prefixes", "exclude_session_items")}
_TITLES = {"title_column": "serving.title_column"}

STEPS: dict[Verb, StepDefinition] = {
    "data": StepDefinition(
        folder=lambda run: run.data,
        settings=settings.of_data,
        before={},
        of_the_model=False,
        names={"files": "data", **_TITLES},
        facts=("source", "report", "version"),
        left_out=("event_attributes",),
        identity=_tables,
        places=settings.places_of_data,
    ),
    "preprocess": StepDefinition(
        folder=lambda run: run.preprocessed,
        settings=settings.of_preprocess,
        before={"data": "data"},
        of_the_model=False,
        names={
            "min_session_length": "data.min_session_length",
            "max_session_length": "data.max_session_length",
            **_TITLES,
        },
        facts=("version", "format", "start"),
        left_out=("event_attributes",),
        identity=_encoding,
    ),
    "train": StepDefinition(
        folder=lambda run: run.model,
        settings=settings.of_train,
        before={"preprocessed": "preprocess"},
        names={**_SCORED, "continued": "training.continued"},
        facts=("model_format", "from"),
        left_out=("event_attributes", *_SCORED),
    ),
    "tune": StepDefinition(
        folder=lambda run: run.mixture,
        settings=settings.of_tune,
        before=_OF_A_MODEL,
        names={
            **_SCORED,
            **_TITLES,
            "mixture": "serving.mixture",
            "sparse_below": "evaluation.sparse_below",
        },
        facts=("version", "grid"),
        left_out=(*_SCORED, *_TITLES),
    ),
    "evaluate": StepDefinition(
        folder=lambda run: run.evaluation,
        settings=settings.of_evaluate,
        before=_OF_A_MODEL,
        reads_choice=True,
        names={
            "categories": "model.next_attributes",
            "mixture": "serving.mixture",
            "new_item_boost": "serving.new_item_boost",
            **_TITLES,
        },
        facts=("version", "split"),
        left_out=("new_item_boost", *_TITLES),
        # 2: what remembers sessions remembers those of validation.
        format=2,
    ),
    "export": StepDefinition(
        folder=lambda run: run.triton,
        settings=settings.of_export,
        before=_OF_A_MODEL,
        reads_choice=True,
        section="serving",
        facts=("format", "version"),
    ),
}
VERBS: tuple[Verb, ...] = tuple(STEPS)

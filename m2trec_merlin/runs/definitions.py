"""The definitions of the steps of a run: what each writes and reads, and which settings it depends on.

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
from m2trec_merlin.runs.places import Table, tables_of
from m2trec_merlin.runs.settings import Settings, without_costs

#: The steps that write a folder, in order.
Verb = Literal["data", "preprocess", "train", "tune", "evaluate", "export"]

#: The content of a manifest that `write_manifest` wrote.
Manifest = dict[str, Any]
#: Names in manifests of the mixture that a result was made with, of the format of a result, and of the places
#: of the tables that it was made from.
CHOSEN, FORMAT, PLACES = "chosen", "format", "places"


def _files(manifest: Manifest) -> Any:
    return manifest["sha256"]


def _tables(manifest: Manifest) -> Any:
    reports = (REPORT_PAGE, REPORT_NUMBERS)
    return fingerprint({name: digest for name, digest in manifest["sha256"].items() if name not in reports})


def _encoding(manifest: Manifest) -> Any:
    # Models do not depend on titles for display; steps that read them record the title column themselves.
    return fingerprint({name: v for name, v in manifest["settings"].items() if name != "title_column"})


def _length_by_the_data(manifest: Manifest) -> Settings:
    counts = manifest.get("sessions", {}).get("train", {})
    return {name: counts[name] for name in (settings.LONGEST_SESSION,) if name in counts}


@dataclass(frozen=True)
class StepDefinition:
    """The definition of a step, the same for all runs.

    Attributes:
        folder: function that returns the path that the step writes in a run.
        settings: function that returns the settings that the result is made with, by their names in the
            manifest; see `settings_of`.
        before: the steps whose results it reads, by their names in its manifest.
        reads_choice: whether it also reads the mixture that `tune` chose, if mixtures are tuned.
        of_the_model: whether each variant of the model has its own result.
        names: names of settings in the configuration file, where the manifest uses other names.
        section: the section of the configuration file with all other settings; "" for none.
        facts: names in the manifest of what the result depends on besides settings.
        left_out: settings that the manifest omits at their defaults, so that results older than the settings
            stay current.
        chosen: function from a manifest to the values that the step found for settings, which may be left to
            it; a configuration that names such a value asks for the same result.
        identity: function from a manifest to a value that identifies the result in manifests of later steps.
        tables: function that returns the tables that the result is made from; see `tables_of`.
        format: version of the meaning of a result that only people read; raised when earlier results are no
            longer comparable.
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
    chosen: Callable[[Manifest], Settings] = lambda manifest: {}
    identity: Callable[[Manifest], Any] = _files
    tables: Callable[[Config], dict[str, Table]] = lambda config: {}
    format: int | None = None

    def earlier(self) -> tuple[str, ...]:
        """Return the names in the manifest of the results that this one was made from."""
        return (*self.before, CHOSEN) if self.reads_choice else tuple(self.before)

    def settings_of(self, config: Config) -> Settings:
        """Return the settings that the result depends on, by their names in the manifest."""
        return self.compared(self.settings(config))

    def compared(self, told: Settings) -> Settings:
        """Return what counts of the settings in a manifest; earlier versions also recorded mere costs."""
        return without_costs(told, self.full_name)

    def told(self, manifest: Manifest, wanted: Settings) -> Settings:
        """Return what counts of the settings that a result was made with, to be held against wanted ones.

        Only the comparison takes what was left to the step for what is wanted now. The manifest stays as it
        is, and a result that is made anew, from other data, has the value that is configured.
        """
        told = self.compared(manifest["settings"])
        found = {name: value for name, value in self.chosen(manifest).items() if told.get(name) is None}
        return {**told, **{name: value for name, value in found.items() if wanted.get(name) == value}}

    def full_name(self, name: str) -> str:
        """Return the full name in the configuration file of a setting that the manifest calls `name`."""
        first, dot, rest = name.partition(".")
        if first in self.names:
            return f"{self.names[first]}{dot}{rest}"
        return f"{self.section}.{name}" if self.section else name


_OF_A_MODEL: dict[str, Verb] = {"preprocessed": "preprocess", "model": "train"}
#: Settings that decide which prefixes are scored, and how.
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
        tables=tables_of,
    ),
    "preprocess": StepDefinition(
        folder=lambda run: run.preprocessed,
        settings=settings.of_preprocess,
        before={"data": "data"},
        of_the_model=False,
        names={
            "min_session_length": "data.min_session_length",
            settings.LONGEST_SESSION: "data.max_session_length",
            **_TITLES,
        },
        facts=("version", "format", "start"),
        left_out=("event_attributes",),
        chosen=_length_by_the_data,
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
        # 2: scorers that remember sessions also know the validation sessions.
        # 3: the manifest tells the protocol, and which prefixes were scored.
        format=3,
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

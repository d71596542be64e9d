"""The run of a configuration: its paths, its steps, and differences from what its model was trained with."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from m2trec_merlin.config import Config
from m2trec_merlin.config.serving import TunedMixture
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.runs.definitions import CHOSEN, STEPS, VERBS, Verb
from m2trec_merlin.runs.folder import RunFolder
from m2trec_merlin.runs.settings import differences, made_of
from m2trec_merlin.runs.steps import Step


class Run(RunFolder):
    """The run of a configuration.

    Args:
        config: the configuration that results must have been made for.

    Attributes:
        config: the configuration that results must have been made for.
    """

    config: Config
    #: Whether the configuration says where the tables are today.
    _names_tables = True

    def __init__(self, config: Config) -> None:
        super().__init__(config.directory, config.model_directory)
        object.__setattr__(self, "config", config)

    def step(self, verb: Verb) -> Step:
        """Return a step of this run."""
        return step_of(self, verb, self.config, self._names_tables)

    def require_other_than(self, earlier: RunFolder) -> None:
        """Check that what is made of this run replaces nothing of an earlier one that it is compared with.

        Raises:
            ArtifactError: both are the same run.
        """
        mine, theirs = ({each.data.resolve(), each.preprocessed.resolve()} for each in (self, earlier))
        if mine & theirs:
            raise ArtifactError(
                f"--from {earlier.directory} is the run itself, whose results would be replaced: give this "
                "one a folder of its own, as in --set work_dir=runs/today"
            )

    def as_trained(self, saved: Config) -> tuple[Run, list[str]]:
        """Return the run with the settings of its trained model, and a line for each setting that differs.

        Args:
            saved: the configuration that the model was trained with. It replaces the model, training,
                attributes, data and seed; evaluation and serving stay as configured here.

        Raises:
            ArtifactError: data/ or preprocessed/ were made with other settings than the model.
        """
        parts = ("seed", "data", "attributes", "event_attributes", "model", "training")
        as_saved = {name: getattr(saved, name) for name in parts}
        trained = _RunAsTrained(self.config.model_copy(update=as_saved))
        for step in [trained.step(verb) for verb in VERBS if not STEPS[verb].of_the_model]:
            if names := [name for name in step.changes() if not name.startswith("serving.")]:
                raise ArtifactError(
                    f"the model in {self.model} was trained with other settings ({', '.join(names)}) than "
                    f"{step.folder} was made with: run `m2trec train`"
                )
        step = self.step("preprocess")
        # What the step takes for the same, such as a length that it had found itself, is no other setting.
        same = {step.definition.full_name(name) for name in step.settings} - step.changes().keys()
        return trained, [
            f"{self.model}: {name}: trained with {_shown(then)}, configured is {_shown(now)}: the trained "
            "one is used; run `m2trec train` to change it"
            for name, then, now in differences(made_of(saved), made_of(self.config))
            if name not in same
        ]

    def not_in_effect(self) -> list[str]:
        """Return a line for each way in which the export does not match the configuration.

        A server reads only the export, into which some settings of `serving` were baked.
        """
        step = self.step("export")
        changes = self.step("preprocess").changes() | step.changes()
        lines = [
            f"{name}: exported with {_shown(then)}, configured is {_shown(now)}: not in effect until "
            "`m2trec export`"
            for name, (then, now) in changes.items()
            if name.startswith("serving.")
        ]
        return lines + _changed_before(step)


class _RunAsTrained(Run):
    """A run with the configuration of its training, which says where the tables were then."""

    _names_tables = False


def step_of(run: RunFolder, verb: Verb, config: Config | None = None, names_tables: bool = False) -> Step:
    """Return a step of a run's folder.

    Args:
        run: the folder of the run.
        verb: the verb of the step.
        config: the configuration that the result must have been made for; None if this is not checked.
        names_tables: whether the configuration says where the tables are today.
    """
    definition = STEPS[verb]
    verbs = dict(definition.before)
    if definition.reads_choice and config is not None and isinstance(config.serving.mixture, TunedMixture):
        verbs[CHOSEN] = "tune"
    before = {name: step_of(run, earlier, config, names_tables) for name, earlier in verbs.items()}
    wanted = {} if config is None else definition.settings_of(config)
    find_tables = dict if config is None or not names_tables else partial(definition.tables, config)
    return Step(verb, definition.folder(run), wanted, before, find_tables)


def changed_since_export(run: RunFolder) -> list[str]:
    """Return a line for each result in a run's folder that has changed since the export that is served."""
    return _changed_before(step_of(run, "export"))


def _changed_before(step: Step) -> list[str]:
    try:
        changed = step.outdated()
    except ArtifactError:
        return []  # nobody needs a manifest to serve
    return [
        f"{step.folder} was made before {step.before[name].folder} changed: not in effect until "
        "`m2trec export`"
        for name in changed
    ]


def _shown(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value)

"""Check whether the results of steps were made for the current configuration and inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m2trec_merlin.artifacts import MANIFEST, writing
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.manifests import is_current, require_manifest, require_unaltered
from m2trec_merlin.runs.definitions import FORMAT, PLACES, STEPS, Manifest, StepDefinition, Verb
from m2trec_merlin.runs.folder import PARTS
from m2trec_merlin.runs.locks import lock
from m2trec_merlin.runs.places import Table
from m2trec_merlin.runs.settings import Settings, differences


@dataclass(frozen=True)
class Step:
    """A step of a run: the inputs that its result depends on, and the folder of the result.

    Attributes:
        verb: the verb of the command line.
        folder: the folder that the step writes, with a manifest.
        settings: the settings that its result depends on, by their names in the manifest.
        before: the steps whose results it reads, by their names in the manifest.
        find_tables: function that returns the tables that it reads, by the settings that name them, if they
            exist.
    """

    verb: Verb
    folder: Path
    settings: Settings
    before: Mapping[str, Step]
    find_tables: Callable[[], dict[str, Table]] = dict

    @property
    def definition(self) -> StepDefinition:
        """The definition of the step, which is the same for all runs."""
        return STEPS[self.verb]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the step's folder, and those that it reads, within the block; create the parent folder.

        Raises:
            ArtifactError: a step before it has not run, another process works on a folder, or the parent
                folder cannot be created.
        """
        for step in self.before.values():
            step.manifest()
        with writing(self.folder):
            self.folder.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            stack.enter_context(lock(self.folder))
            for step in self.before.values():
                stack.enter_context(lock(step.folder, shared=True))
            yield

    def inputs(self, **facts: Any) -> dict[str, Any]:
        """Return all inputs of a result made now: results of earlier steps, settings, and facts.

        Args:
            facts: inputs that are no settings, such as the state of a source or the version of a format.

        Raises:
            ArtifactError: a step before it has not run.
        """
        undeclared = facts.keys() - set(self.definition.facts)
        assert not undeclared, f"facts that {self.verb} does not declare: {undeclared}"
        earlier = {name: step.identity(step.manifest()) for name, step in self.before.items()}
        own = {} if self.definition.format is None else {FORMAT: self.definition.format}
        return {**earlier, **self.settings, **own, **facts}

    def is_current(self, inputs: dict[str, Any]) -> bool:
        """Tell whether the folder was completed from these inputs, and is unaltered."""
        return is_current(self.folder, inputs, PARTS, lambda found: self.definition.told(found, inputs))

    def require(self) -> Manifest:
        """Check that the folder was made for this configuration and is unaltered; return its manifest.

        Raises:
            ArtifactError: it was not, or is not; the message says why, and what to run.
        """
        if problem := self.problem():
            raise ArtifactError(problem)
        self.require_unaltered()
        return self.manifest()

    def require_unaltered(self, *only: str, remedy: str = "") -> None:
        """Check that the files of the folder are those that the step wrote.

        Args:
            only: names of the files that are read; none: all.
            remedy: what to do, if the step cannot make the same result again.

        Raises:
            ArtifactError: a file is missing or altered; the message names it, and what to do.
        """
        require_unaltered(self.folder, self.verb, PARTS, only, remedy)

    def problem(self) -> str | None:
        """Return why the folder is not what this configuration would make of the earlier results, or None.

        Earlier folders that do not exist are not checked: a result copied here without them is trusted.
        """
        manifest = self.found()
        if manifest is None:
            return f"{self.folder} is not there yet: run `m2trec {self.verb}` first"
        for step in self.before.values():
            if step.found() is not None and (problem := step.problem()):
                return problem
        remedy = f"run `m2trec {self.verb}`"
        if manifest["step"] != self.verb:
            return f"{self.folder} is not complete: {remedy}"
        if changes := self.changes():
            return f"{self.folder} was made with other settings ({', '.join(changes)}): {remedy}"
        if problem := self.older_than():
            return problem
        tables = self.find_tables()
        for name, recorded in manifest.get(PLACES, {}).items():
            if name in tables and tables[name].is_other_than(*recorded):
                return f"{self.folder} was made from another file than data.{name} names now: {remedy}"
        return None

    def changed_tables(self) -> list[str]:
        """Return a line for each table that has changed where it lies since the step read it.

        That is no problem, as tables grow: the line says that results are of what was there then.
        """
        tables, recorded = self.find_tables(), (self.found() or {}).get(PLACES, {})
        return [
            f"{tables[name].path} has changed since `m2trec {self.verb}` read it: "
            "run that again to take it in"
            for name, told in recorded.items()
            if name in tables and tables[name].has_grown(*told)
        ]

    def changes(self) -> dict[str, tuple[Any, Any]]:
        """Return the settings that have changed since the folder was made, with the old and the new value.

        A setting that the manifest lacks because it is older than the setting counts as unchanged.
        """
        found = self.found()
        told = {} if found is None else self.definition.told(found, self.settings)
        known = {name for name in self.settings if name in told}
        left_out = self.definition.left_out if told else ()
        known |= {name for name in left_out if name in told or name in self.settings}
        then, now = ({name: of.get(name) for name in sorted(known)} for of in (told, self.settings))
        changed = differences(then, now)
        return {self.definition.full_name(name): (then, now) for name, then, now in changed}

    def outdated(self) -> list[str]:
        """Return the names of earlier results that have changed since the folder was made from them."""
        told = (self.found() or {}).get("settings", {})
        now = {name: step.identity(found) for name, step in self.before.items() if (found := step.found())}
        return [name for name, identity in now.items() if told.get(name, identity) != identity]

    def older_than(self) -> str | None:
        """Return a message if an earlier result has changed since the folder was made from it, or None."""
        for name in self.outdated():
            then = f"{self.folder} was made before {self.before[name].folder} changed"
            return f"{then}: run `m2trec {self.verb}`"
        return None

    def is_incomparable(self) -> bool:
        """Tell whether the folder was made by a version whose results are not comparable."""
        found = self.found()
        return found is not None and self.definition.format not in (None, found["settings"].get(FORMAT))

    def manifest(self) -> Manifest:
        """Return the manifest of the folder, without checking what it was made for.

        Raises:
            ArtifactError: the step has not run.
        """
        return require_manifest(self.folder, self.verb)

    def found(self) -> Manifest | None:
        """Return the manifest of the folder, or None if there is none."""
        return self.manifest() if (self.folder / MANIFEST).is_file() else None

    def identity(self, manifest: Manifest) -> Any:
        """Return the value that identifies a result in the manifests of later steps."""
        return self.definition.identity(manifest)

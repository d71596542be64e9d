"""The list of runs: their data, finished steps and measurements, read from manifests alone.

Broken or half-made results are listed as such, and do not keep others from being listed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from m2trec_merlin.config.settings import VARIANTS_FOLDER
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.evaluation.measurements import OURS, Measurement, read_measurements
from m2trec_merlin.evaluation.slices import ALL
from m2trec_merlin.missing import explain_missing
from m2trec_merlin.runs import VERBS, RunFolder, Verb
from m2trec_merlin.runs.current import link_beside
from m2trec_merlin.runs.definitions import FORMAT, STEPS, Manifest
from m2trec_merlin.runs.run import step_of
from m2trec_merlin.runs.settings import differences

#: Steps whose results each variant has for itself.
_OF_THE_MODEL = tuple(verb for verb in VERBS if STEPS[verb].of_the_model)


@dataclass(frozen=True)
class ListedRun:
    """A run as described by its manifests.

    Attributes:
        folder: paths of the run.
        manifests: manifests of the finished steps.
        measurements: measurements of its evaluation on test sessions; empty if there is none.
        remarks: one line for each result that is damaged, half made or out of date.
        size: bytes of its files; for a variant, without the files that it shares.
        is_current: whether the link `current` beside it leads to it.
    """

    folder: RunFolder
    manifests: dict[Verb, Manifest] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    size: int = 0
    is_current: bool = False

    @property
    def variant(self) -> str:
        """Name of the run's variant."""
        return self.folder.variant

    @property
    def data(self) -> str | None:
        """Identifier of the run's data, the same for runs of equal data; None without data."""
        manifest = self.manifests.get("data")
        return None if manifest is None else str(STEPS["data"].identity(manifest))

    @property
    def written(self) -> str:
        """Time at which the newest result was written, in ISO 8601; empty if no step is finished."""
        own = [self.manifests[verb] for verb in _OF_THE_MODEL if verb in self.manifests]
        times = [str(manifest.get("written", "")) for manifest in own or self.manifests.values()]
        return max(times, default="")

    @property
    def validation_hit(self) -> float | None:
        """HIT@20 of the final weights on validation prefixes."""
        value = self.manifests.get("train", {}).get("best_hit_20")
        return float(value) if isinstance(value, int | float) else None

    @property
    def ours(self) -> list[str]:
        """Names of the run's own scorers in its measurements: the model, and last the served mixture."""
        return list(self.manifests.get("evaluate", {}).get(OURS, ()))

    def measured(self, metric: str, k: int, part: str = ALL) -> Measurement | None:
        """Return a measurement of the served scorer, or None.

        A mixture predicts next items only, so measurements of next attributes are those of its model.

        Args:
            metric: name of the metric, without a cut-off.
            k: cut-off.
            part: name of the slice.
        """
        wanted = (metric, k, part)
        found = {m.model: m for m in self.measurements if (m.metric, m.k, m.slice) == wanted}
        return next((found[model] for model in reversed(self.ours) if model in found), None)

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `m2trec runs --json` prints."""
        return {
            "run": str(self.folder.model_directory),
            "variant": self.variant,
            "current": self.is_current,
            "written": self.written,
            "bytes": self.size,
            "data": self.data,
            "source": self.manifests.get("data", {}).get("source"),
            "counts": self.manifests.get("data", {}).get("counts"),
            "settings": {verb: manifest["settings"] for verb, manifest in self.manifests.items()},
            "done": list(self.manifests),
            "parameters": self.manifests.get("train", {}).get("parameters"),
            "validation": {"HIT@20": self.validation_hit},
            "test": [m.as_dict() for m in self.measurements if m.model in self.ours],
            "exported": "export" in self.manifests,
            "remarks": self.remarks,
        }


def list_runs(folder: Path) -> list[ListedRun]:
    """Return the runs in a folder, or the run that the folder is, with their variants, sorted by name.

    Raises:
        ArtifactError: the folder does not exist.
    """
    if not folder.is_dir():
        raise ArtifactError(f"{folder} is no folder: name one that holds runs")
    below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    return [read_run(run) for place in (folder, *below) for run in _runs_of(place)]


def links_to_nothing(folder: Path) -> list[str]:
    """Return a line for each link in a folder of runs whose run is gone."""
    links = sorted(path for path in folder.iterdir() if path.is_symlink() and not path.exists())
    return [explain_missing(path) for path in links]


def find_run(path: Path) -> ListedRun:
    """Return the run, or the variant, of a folder or of a link to one.

    Raises:
        ArtifactError: the folder is not that of a run.
    """
    place = path.resolve()
    runs = [run for run in _runs_of(place) if run.model_directory == place]
    if not runs:
        raise ArtifactError(f"{path} is no run: `m2trec runs` lists those in a folder")
    return read_run(runs[0])


def read_run(run: RunFolder) -> ListedRun:
    """Read the manifests of a run, and remark on everything that is wrong with its folders."""
    manifests: dict[Verb, Manifest] = {}
    measurements: list[Measurement] = []
    remarks: list[str] = []
    for verb in VERBS:
        step = step_of(run, verb)
        try:
            found = step.found()
            if found is not None and found["step"] == verb:
                manifests[verb] = found
            elif step.folder.is_dir():
                remarks.append(f"{step.folder.name}/ is half made or being made: run `m2trec {verb}`")
            if found is not None and (changed := step.outdated()):
                remarks.append(f"{step.folder.name}/ was made before {', '.join(changed)} changed")
            if step.is_incomparable():
                remarks.append(f"{step.folder.name}/ is of an earlier version: run `m2trec {verb}`")
        except ArtifactError as error:
            remarks.append(str(error))
    if "evaluate" in manifests:
        try:
            measurements = read_measurements(run.evaluation)
        except ArtifactError as error:
            remarks.append(str(error))
    link = link_beside(run)
    return ListedRun(
        run,
        manifests,
        measurements,
        list(dict.fromkeys(remarks)),
        _size(run),
        link.is_symlink() and link.resolve() == run.model_directory.resolve(),
    )


def different_settings(runs: Sequence[ListedRun]) -> dict[str, list[Any]]:
    """Return the settings in which runs differ, with the value of each run; None if a run has none.

    Only finished steps count. A setting that several steps record, each in its own way, is compared step by
    step; if no two runs have finished the same of these steps, the value in each run's last step is compared.
    """
    # By setting, a dictionary of values by run for each step that records the setting.
    told: dict[str, list[dict[int, Any]]] = {}
    for verb in VERBS:
        of_runs = {
            place: each for place, run in enumerate(runs) if (each := _settings(run, verb)) is not None
        }
        for name in dict.fromkeys(name for settings in of_runs.values() for name in settings):
            values = {place: settings.get(name) for place, settings in of_runs.items()}
            told.setdefault(STEPS[verb].full_name(name), []).append(values)
    found: dict[str, list[Any]] = {}
    for top, by_step in told.items():
        last = {place: value for values in by_step for place, value in values.items()}
        for known in [values for values in by_step if len(values) > 1] or [last]:
            first, *others = sorted(known)
            changed: dict[str, dict[int, Any]] = {}
            for place in others:
                for name, then, now in differences(known[first], known[place], top):
                    changed.setdefault(name, dict.fromkeys(known, then))[place] = now
            for name, values in changed.items():
                for place, value in values.items():
                    found.setdefault(name, [None] * len(runs))[place] = value
    return found


def _runs_of(place: Path) -> Iterator[RunFolder]:
    """Yield the run in a folder, if there is one, and its variants."""
    run = RunFolder.at(place)
    own = _OF_THE_MODEL if run.is_variant else VERBS
    if any(step_of(run, verb).folder.is_dir() for verb in own):
        yield run
    yield from run.variants()


def _size(run: RunFolder) -> int:
    """Return the bytes of a run without its variants; files may come and go while it counts."""
    size = 0
    for folder, folders, files in os.walk(run.model_directory):
        if Path(folder) == run.model_directory and VARIANTS_FOLDER in folders:
            folders.remove(VARIANTS_FOLDER)
        for name in files:
            with suppress(OSError):
                size += Path(folder, name).lstat().st_size
    return size


def _settings(run: ListedRun, verb: Verb) -> dict[str, Any] | None:
    """Return the settings of a step, without earlier results and facts; None if it is not finished."""
    if verb not in run.manifests:
        return None
    left_out = {*STEPS[verb].earlier(), *STEPS[verb].facts, FORMAT}
    settings = STEPS[verb].compared(run.manifests[verb]["settings"])
    return {name: _by_name(value) for name, value in settings.items() if name not in left_out}


def _by_name(settings: Any) -> Any:
    """Turn lists of attributes into dictionaries by name, so that equal names are compared."""
    if isinstance(settings, dict):
        return {name: _by_name(value) for name, value in settings.items()}
    if isinstance(settings, list) and settings and all(isinstance(s, dict) and "name" in s for s in settings):
        return {entry["name"]: entry for entry in settings}
    return settings

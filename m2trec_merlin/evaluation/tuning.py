"""The verb `tune`: what model, neighbours, words and rarity count, chosen on validation sessions and kept.

`evaluate` and `export` read the choice, and make it first where it is not there (`serving.mixture`).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from m2trec_merlin import __version__
from m2trec_merlin.artifacts import atomic_directory, atomic_write, read_json, reading, write_manifest
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.config.serving import FixedMixture, TunedMixture
from m2trec_merlin.evaluation.chosen import MIXTURE_FILE
from m2trec_merlin.evaluation.mixtures import Point, Sample, choose, frontier, search, search_settings
from m2trec_merlin.evaluation.plots import plot_frontier
from m2trec_merlin.evaluation.ranking import prefixes_of
from m2trec_merlin.evaluation.served import model_scorer, views_of
from m2trec_merlin.evaluation.shortlists import shortlist
from m2trec_merlin.neighbours.mixture import trends_of
from m2trec_merlin.neighbours.weights import VIEWS, Weights
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.runs import Run
from m2trec_merlin.sessions import Prefixes, Sessions

#: Prefixes below which a choice would be chance.
ENOUGH = 200

#: Scores that a view is asked for at most, and the prefixes that are scored in any case.
_MOST_SCORES, _FEWEST = 3e8, 1000


@dataclass(frozen=True)
class Choice:
    """What was chosen, and among what.

    Attributes:
        chosen: the point whose weights are served.
        model: the model alone.
        frontier: the points that no other one beats over all and on the tail, best over all first.
        prefixes: number of them by what was measured on them.
    """

    chosen: Point
    model: Point
    frontier: list[Point]
    prefixes: dict[str, int]


def tune(config: Config, *, force: bool = False, progress: Progress = SILENT) -> Choice | None:
    """Choose the mixture of a run on its validation sessions, and keep the choice in `mixture/`.

    Args:
        config: of the run; the model and its data are taken as the model was trained.
        force: choose again even if the choice is current.
        progress: is told how far it is, and what was chosen.

    Returns:
        The choice; None where `serving.mixture` leaves none.

    Raises:
        ArtifactError: `preprocess` or `train` has not run, or with settings that do not fit each other;
            nothing can be written there, or another process is at work there.
    """
    from m2trec_merlin.model.storage import run_as_trained

    if not isinstance(config.serving.mixture, TunedMixture):
        return None
    run = run_as_trained(config, SILENT)
    step = run.step("tune")
    inputs = step.inputs(version=__version__, grid=search_settings())
    if force or not step.is_current(inputs):
        with step.at_work():
            _tune(run, config.serving.mixture, inputs, progress)
    return read_choice(run.mixture)


def read_choice(folder: Path) -> Choice:
    """Return what `tune` wrote into a folder.

    Raises:
        ArtifactError: it is not there, or damaged.
    """
    path = folder / MIXTURE_FILE
    content = read_json(path, "tune")
    with reading(path, "tune"):
        chosen, model, *best = map(_point, (content["chosen"], content["model"], *content["frontier"]))
        return Choice(chosen, model, best, content["prefixes"])


def _point(content: dict[str, Any]) -> Point:
    return Point(**{**content, "weights": Weights(**content["weights"])})


def _content(point: Point) -> dict[str, Any]:
    return {**vars(point), "weights": dict(point.weights)}


def _tune(run: Run, settings: TunedMixture, inputs: dict[str, Any], progress: Progress) -> None:
    started = time.perf_counter()
    catalogue = Catalogue.load(run.catalogue)
    evaluation, seed = run.config.evaluation, run.config.seed
    valid = prefixes_of(Sessions.load(run.sessions("valid")), evaluation)
    sample = draw(valid, catalogue, settings.prefixes, evaluation.sparse_below, seed)
    with atomic_directory(run.mixture) as folder:
        choice = _choose_for(run, catalogue, sample, settings.loss, progress)
        content = {
            "weights": dict(choice.chosen.weights),
            "chosen": _content(choice.chosen),
            "model": _content(choice.model),
            "frontier": [_content(point) for point in choice.frontier],
            "prefixes": choice.prefixes,
        }
        atomic_write(folder / MIXTURE_FILE, json.dumps(content, indent=1) + "\n")
        if choice.frontier:
            points = {"model alone": choice.model, "chosen": choice.chosen}
            atomic_write(folder / "frontier.svg", plot_frontier(choice.frontier, points))
        seconds = round(time.perf_counter() - started, 1)
        write_manifest(folder, "tune", inputs, seconds=seconds, prefixes=choice.prefixes)
    progress.say(f"mixture chosen on validation in {seconds} seconds: {describe(choice.chosen.weights)}")


def describe(weights: Weights) -> str:
    """Return what counts how much, in words of the configuration."""
    told = ", ".join(f"{name} {value:g}" for name, value in weights.items() if value)
    return told or "the model alone"


def _choose_for(run: Run, catalogue: Catalogue, sample: Sample, loss: float, progress: Progress) -> Choice:
    if len(sample.prefixes) < ENOUGH:
        progress.say(
            f"{len(sample.prefixes)} validation prefixes are too few to choose a mixture on: the default one "
            f"is taken; {ENOUGH} are enough"
        )
        default = Point(Weights(**FixedMixture().weights()), 0.0, 0.0, None, None)
        return Choice(default, Point(Weights(), 0.0, 0.0, None, None), [], sample.sizes())
    train = Sessions.load(run.sessions("train"))
    model = model_scorer(run, catalogue, progress)
    views = views_of(views_to_try(catalogue), catalogue, train)
    most = model.model.max_length
    trends = trends_of(catalogue)
    no_own = run.config.evaluation.exclude_session_items
    lists = shortlist(sample.prefixes, model, views, catalogue.train_counts, most, progress, trends, no_own)
    points = search(lists, sample, loss, progress)
    alone = next(point for point in points if point.weights == Weights())
    return Choice(choose(points, loss), alone, frontier(points), sample.sizes())


def views_to_try(catalogue: Catalogue) -> list[str]:
    """Return the views that can say of a catalogue what no other one says."""
    return [name for name, view in VIEWS.items() if view.is_worth_trying(catalogue)]


def draw(valid: Prefixes, catalogue: Catalogue, size: int, rare_below: int, seed: int) -> Sample:
    """Draw prefixes: from all, and a third as many each of those that lead to rare and to new items.

    Args:
        valid: to draw from.
        catalogue: with the training occurrences of items.
        size: wanted of all; fewer of large catalogues, as every item is scored.
        rare_below: a rare item has fewer training occurrences.
        seed: of the draw.
    """
    size = min(size, max(_FEWEST, int(_MOST_SCORES / catalogue.n_rows)))
    counts = catalogue.train_counts[valid.targets]
    rare, new = (counts > 0) & (counts < rare_below), counts == 0
    rng = np.random.default_rng(seed)
    anywhere = _some(np.arange(len(valid)), size, rng)
    more = [_some(np.flatnonzero(part), size // 3, rng) for part in (rare, new)]
    drawn = np.unique(np.concatenate([anywhere, *more]))
    return Sample(valid.take(drawn), np.isin(drawn, anywhere), rare[drawn], new[drawn])


def _some(values: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    return values if len(values) <= size else rng.choice(values, size, replace=False)

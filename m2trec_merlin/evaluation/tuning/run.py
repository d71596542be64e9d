"""The verb `tune`: chooses the weights of neighbours, words and rarity on validation sessions.

`evaluate` and `export` read the choice, and make it first if it is missing (`serving.mixture`).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from m2trec_merlin.artifacts import atomic_directory, atomic_write, read_json, reading
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.config.serving import FixedMixture, TunedMixture
from m2trec_merlin.evaluation.known import known_before
from m2trec_merlin.evaluation.ranking import prefixes_of
from m2trec_merlin.evaluation.served import model_scorer, views_of
from m2trec_merlin.evaluation.tuning.chosen import MIXTURE_FILE
from m2trec_merlin.evaluation.tuning.mixtures import (
    LISTED,
    Point,
    Trials,
    choose,
    frontier,
    search,
    search_settings,
    without_idle_views,
)
from m2trec_merlin.evaluation.tuning.newly_listed import (
    ListedAnew,
    bounded_listed,
    choose_listed,
    listing_points,
    listing_settings,
)
from m2trec_merlin.evaluation.tuning.plots import plot_frontier
from m2trec_merlin.evaluation.tuning.samples import draw
from m2trec_merlin.evaluation.tuning.shortlists import Scorers, shortlist
from m2trec_merlin.manifests import write_manifest
from m2trec_merlin.neighbours.pasts import ItemPasts
from m2trec_merlin.neighbours.weights import VIEWS, WEIGHTS, Weights
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.runs import Run
from m2trec_merlin.sessions import Sessions
from m2trec_merlin.version import __version__

#: Number of prefixes below which a choice would be chance.
ENOUGH = 200


@dataclass(frozen=True)
class Choice:
    """A chosen mixture, with its alternatives.

    Attributes:
        weights: the weights that are served.
        chosen: the chosen point; its weights are served, except that of newly listed items.
        model: the point of the model alone.
        frontier: Pareto-optimal points over all and on the tail, best over all first.
        listed: point of the served weights when training items are listed anew; None if not measured.
        prefixes: number of prefixes, by the part of the sample.
    """

    weights: Weights
    chosen: Point
    model: Point
    frontier: list[Point]
    listed: Point | None
    prefixes: dict[str, int]


def tune(config: Config, *, force: bool = False, progress: Progress = SILENT) -> Choice | None:
    """Choose the mixture of a run on its validation sessions, and store the choice in `mixture/`.

    Args:
        config: configuration of the run; data and model are taken as the model was trained.
        force: whether to choose again even if the choice is current.
        progress: receives the progress, and the choice.

    Returns:
        The choice; None if `serving.mixture` does not ask for one.

    Raises:
        ArtifactError: `preprocess` or `train` has not run, or they ran with settings that do not fit each
            other; or the folder is not writable, or another process is working in it.
    """
    from m2trec_merlin.model.trained_run import run_as_trained

    if not isinstance(config.serving.mixture, TunedMixture):
        return None
    run = run_as_trained(config, SILENT)
    step = run.step("tune")
    inputs = step.inputs(version=__version__, grid=[*search_settings(), *listing_settings()])
    if force or not step.is_current(inputs):
        with step.locked():
            _tune(run, config.serving.mixture, inputs, progress)
    return read_choice(run.mixture)


def read_choice(folder: Path) -> Choice:
    """Read the choice that `tune` wrote to a folder.

    Raises:
        ArtifactError: the choice is missing or damaged.
    """
    path = folder / MIXTURE_FILE
    content = read_json(path, "tune")
    with reading(path, "tune"):
        chosen, model, *best = map(_point, (content["chosen"], content["model"], *content["frontier"]))
        listed = None if content["listed"] is None else _point(content["listed"])
        return Choice(Weights(**content["weights"]), chosen, model, best, listed, content["prefixes"])


def _point(content: dict[str, Any]) -> Point:
    return Point(**{**content, "weights": Weights(**content["weights"])})


def _content(part: Choice | Point | Weights) -> dict[str, Any]:
    return dict(part) if isinstance(part, Weights) else vars(part)


def _tune(run: Run, settings: TunedMixture, inputs: dict[str, Any], progress: Progress) -> None:
    started = time.perf_counter()
    with atomic_directory(run.mixture) as folder:
        choice = _choose_for(run, settings, progress)
        atomic_write(folder / MIXTURE_FILE, json.dumps(choice, indent=1, default=_content) + "\n")
        if choice.frontier:
            points = {"model alone": choice.model, "chosen": choice.chosen}
            atomic_write(folder / "frontier.svg", plot_frontier(choice.frontier, points))
        seconds = round(time.perf_counter() - started, 1)
        write_manifest(folder, "tune", inputs, seconds=seconds, prefixes=choice.prefixes)
    if choice.frontier:
        progress.say(f"mixture chosen on validation in {seconds} seconds: {describe(choice.weights)}")


def describe(weights: Weights) -> str:
    """Describe weights in a message, with their names in the configuration."""
    told = ", ".join(f"{name} {value:g}" for name, value in weights.items() if value)
    return told or "the model alone"


def _choose_for(run: Run, settings: TunedMixture, progress: Progress) -> Choice:
    evaluation, seed = run.config.evaluation, run.config.seed
    catalogue = Catalogue.load(run.catalogue)
    valid = prefixes_of(Sessions.load(run.sessions("valid")), evaluation)
    prefixes, parts = draw(valid, catalogue, settings.prefixes, evaluation.sparse_below, seed)
    if len(prefixes) < ENOUGH:
        default = Point(Weights(**FixedMixture().weights()), 0.0, 0.0, None, None)
        progress.say(
            f"{len(prefixes)} validation prefixes are too few to choose a mixture on: the default one "
            f"is taken ({describe(default.weights)}); {ENOUGH} are enough"
        )
        model = Point(Weights(), 0.0, 0.0, None, None)
        return Choice(default.weights, default, model, [], None, parts.sizes())
    known = known_before(run, catalogue, "valid")
    scorer = model_scorer(run, catalogue, progress)
    views = views_of(views_to_try(catalogue), catalogue, known.sessions)
    judges = Scorers(
        scorer, views, known.pasts(catalogue), scorer.model.max_length, evaluation.exclude_session_items
    )
    trials = Trials(shortlist(prefixes, judges, progress), parts)
    points = search(trials, settings.loss, progress)
    alone = next(point for point in points if point.weights == Weights())
    chosen = without_idle_views(trials, choose(points, settings.loss))
    tried = []
    if scorer.model.next_item_head.all_items:
        counting = {name: views[name] for name in chosen.weights.views() if name in views}

        def judges_of(anew: ListedAnew) -> Scorers:
            return replace(
                judges,
                model=model_scorer(run, anew.catalogue),
                views=anew.views(counting),
                pasts=ItemPasts.of(anew.catalogue),
                candidates=anew.candidates,
            )

        size = settings.prefixes // 2
        tried = listing_points(valid, catalogue, judges_of, chosen.weights, size, seed, progress)
    listed = choose_listed(tried, settings.loss) if tried else None
    highest = WEIGHTS[LISTED].default if listed is None else listed.weights[LISTED]
    weights = bounded_listed(trials, chosen.weights.but(listed=highest), settings.loss)
    return Choice(weights, chosen, alone, frontier(points), listed, parts.sizes())


def views_to_try(catalogue: Catalogue) -> list[str]:
    """Return the names of the views that are worth trying for a catalogue."""
    return [name for name, view in VIEWS.items() if view.is_worth_trying(catalogue)]

"""How well are items recommended that training never saw?

    python -m experiments cold -c configs/instacart_cold.yaml --seeds 7 8 9

The data are split with `data.cold_item_share`: items are drawn (seeded), and every session that holds one
leaves training and validation. A single popular item among them can decide the result, so there are several
draws, each with a model of its own, and their mean counts. Test prefixes are those whose next item was drawn,
and none of whose own items was.

The targets are ranked among all items of the catalogue, and among the drawn items alone: by the model, by the
served mixture, and by two heuristics. The mixture is measured twice: with the drawn items as items that never
sold in training, and as items listed after training. For both, a boost added to the scores of these items
trades HIT@20 of all prefixes against that of new items. It is chosen by its cost on validation; the curve is
drawn on test.
"""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from rich.console import Console

from benchmarks.frame.parse import Parser, read
from benchmarks.frame.plot import Panel, draw
from benchmarks.frame.prepare import K, Prepared, hit_and_mrr_at_20, prepare, served_mixture, train_model
from benchmarks.frame.publish import Stamp, publish, table
from m2trec_merlin.arrays import offsets_of
from m2trec_merlin.baselines.content_knn import ContentKnn
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config, EvaluationConfig
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.evaluation.ranking import block_size
from m2trec_merlin.evaluation.slices import cold_target
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.model.storage import load_model
from m2trec_merlin.neighbours.mixture import Mixture
from m2trec_merlin.neighbours.word_likeness import category_words
from m2trec_merlin.runs import HeldOut
from m2trec_merlin.scores import ItemScorer
from m2trec_merlin.sessions import Prefixes

#: Boosts of the scores of new items, in units of the logarithm of odds.
BOOSTS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0)

#: The boosted items: those that never sold in training, or those that were listed after it.
WITHOUT_HISTORY, LISTED_NEW = "items without history", "newly listed items"

#: Title of the served mixture, by the kind of item that the drawn items are taken for.
SERVED = {WITHOUT_HISTORY: "M2TRec, served", LISTED_NEW: "M2TRec, served as newly listed"}

#: Largest relative loss in HIT@20 of all prefixes that a boost may cost.
ALLOWED_LOSS = 0.02

#: Number of prefixes of each split that every boost is tried on.
CURVE_PREFIXES = 5_000


def options(parser: Parser) -> None:
    parser.add_config("configs/instacart_cold.yaml")
    parser.add_seeds(None, "draws; default: the configured one")


def run(options: Namespace) -> None:
    config, console = read(options), Console()
    scores = []
    for seed in options.seeds or [config.seed]:
        console.rule(f"draw of seed {seed}", align="left")
        scores += measure_draw(draw_of(config, seed), console)
    publish_scores(scores, config, options.output, options.stamp)


@dataclass(frozen=True)
class Score:
    """HIT@20 and MRR@20 of one scorer on some prefixes.

    Attributes:
        model: name of the scorer.
        split: name of the split.
        slice: description of the prefixes, and of the items that were ranked.
        boosted: kind of boosted items; empty if none.
        boost: number added to their scores; None if none.
        hit: HIT@20.
        mrr: MRR@20.
        n: number of prefixes.
        seed: seed of the draw and of the training; None for means over several.
        spread: standard deviation of `hit` over the draws; None for a single draw.
    """

    model: str
    split: str
    slice: str
    boosted: str
    boost: float | None
    hit: float
    mrr: float
    n: int
    seed: int | None
    spread: float | None = None


class BoostedScores:
    """A scorer that adds a boost to known scores of some items.

    Args:
        scores: scores of the prefixes that will be asked for, float32 [P, N + 1].
        items: which items to boost, bool [N + 1].
        boost: number to add to their scores.
    """

    name, candidates = "boosted", "as before"

    def __init__(self, scores: np.ndarray, items: np.ndarray, boost: float) -> None:
        self._scores, self._lift = scores, np.where(items, np.float32(boost), np.float32(0))

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """Return the boosted scores, float32 [P, N + 1]."""
        lifted: np.ndarray = self._scores + self._lift
        return lifted


class ColdBench:
    """Measures scorers on data that were split with cold items.

    Args:
        data: prepared data of a configuration with `data.cold_item_share`.

    Raises:
        ConfigError: no item was drawn to be cold.
    """

    def __init__(self, data: Prepared) -> None:
        self.config = config = data.config
        self.data, self.catalogue = data, data.catalogue
        path = data.run.cold_items
        if not path.is_file():
            raise ConfigError(f"{config.name}: data.cold_item_share is 0; the experiment needs cold items")
        rows = self.catalogue.rows_of(pq.read_table(path).column(0).to_pylist())
        self.drawn = np.isin(np.arange(self.catalogue.n_rows), rows)
        size = min(config.evaluation.max_prefixes or CURVE_PREFIXES, CURVE_PREFIXES)
        self.all = {name: data.prefixes(name, size) for name in ("test", "valid")}
        test = data.prefixes("test")
        cold = cold_target_only(test, self.catalogue, config.evaluation) & self.drawn[test.targets]
        self.cold = test.take(np.flatnonzero(cold))

    def compare(self, scorers: Sequence[ItemScorer]) -> Iterator[Score]:
        """Rank the cold targets of the test sessions among all items, and among the drawn ones."""
        for scorer in scorers:
            yield self.score(scorer, "test", "cold target", self.cold)
            yield self.score(scorer, "test", "cold target among cold items", self.cold, self.drawn)

    def curve(self, scorer: ItemScorer, split: str, boosted: str) -> Iterator[Score]:
        """Measure all prefixes and the cold targets with every boost of a kind of new items."""
        # Validation holds no drawn item: it only shows the cost of a boost; test shows its gain, too.
        parts = {"All": self.all[split]} | ({"cold target": self.cold} if split == "test" else {})
        items = {WITHOUT_HISTORY: self.catalogue.train_counts == 0, LISTED_NEW: self.drawn}[boosted]
        for name, prefixes in parts.items():
            found: dict[float, list[Score]] = {}
            # Blocks that are measured as a whole, so that each is scored once for all boosts.
            for block in prefixes.blocks(block_size(EvaluationConfig(), self.catalogue)):
                scores = scorer.score(block)
                for boost in BOOSTS:
                    score = self.score(BoostedScores(scores, items, boost), split, name, block)
                    found.setdefault(boost, []).append(score)
            for boost, parted in found.items():
                sizes = [score.n for score in parted]
                yield dataclasses.replace(
                    parted[0],
                    model=scorer.name,
                    boosted=boosted,
                    boost=boost,
                    hit=float(np.average([score.hit for score in parted], weights=sizes)),
                    mrr=float(np.average([score.mrr for score in parted], weights=sizes)),
                    n=sum(sizes),
                )

    def score(
        self,
        scorer: ItemScorer,
        split: str,
        name: str,
        prefixes: Prefixes,
        candidates: np.ndarray | None = None,
    ) -> Score:
        """Measure one scorer on one set of prefixes."""
        hit, mrr = hit_and_mrr_at_20(scorer, prefixes, self.catalogue, candidates)
        return Score(scorer.name, split, name, "", None, hit, mrr, len(prefixes), self.config.seed)


def over_draws(scores: Sequence[Score]) -> list[Score]:
    """Average scores over the draws, in the order of the first draw."""
    draws: dict[tuple[object, ...], list[Score]] = {}
    for score in scores:
        draws.setdefault((score.model, score.split, score.slice, score.boosted, score.boost), []).append(
            score
        )
    return [
        dataclasses.replace(
            same[0],
            hit=float(np.mean([score.hit for score in same])),
            mrr=float(np.mean([score.mrr for score in same])),
            n=sum(score.n for score in same),
            seed=None,
            spread=float(np.std([score.hit for score in same], ddof=1)) if len(same) > 1 else None,
        )
        for same in draws.values()
    ]


def choose_boost(curve: Sequence[Score], boosted: str, allowed_loss: float = ALLOWED_LOSS) -> float:
    """Return the highest boost that costs at most the allowed share of HIT@20 on all validation prefixes."""
    overall = {s.boost: s.hit for s in curve if (s.split, s.slice, s.boosted) == ("valid", "All", boosted)}
    least = (1 - allowed_loss) * overall[0.0]
    return max(boost for boost, hit in overall.items() if boost is not None and hit >= least)


def draw_of(config: Config, seed: int) -> Config:
    """Return the configuration of another draw; other seeds than the configured one get their own folder."""
    if seed == config.seed:
        return config
    folder = config.directory
    other = folder.with_name(f"{folder.name}_{seed}")
    return config.model_copy(update={"seed": seed, "work_dir": other})


def measure_draw(config: Config, console: Console) -> list[Score]:
    """Prepare the data of one draw, train on them (or resume training), and measure."""
    data = prepare(config)
    bench, catalogue = ColdBench(data), data.catalogue
    told = data.known.as_training_counts(catalogue)
    folder = train_model(config, console)
    ours = ModelScorer(load_model(folder, catalogue), "M2TRec")
    served: dict[tuple[str, HeldOut], Mixture] = {}
    splits: tuple[HeldOut, ...] = ("valid", "test")
    for kind, listed in ((WITHOUT_HISTORY, None), (LISTED_NEW, bench.drawn)):
        for split in splits:
            served[kind, split] = served_mixture(config, data, ours, console, listed, before=split)
            served[kind, split].name = SERVED[kind]
    scorers: list[ItemScorer] = [
        ours,
        *(scorer for (_, split), scorer in served.items() if split == "test"),
        ContentKnn(told, data.known.sessions, name="content kNN (titles)"),
        ContentKnn(told, data.known.sessions, category_words(catalogue), "profile of categories"),
    ]
    scores = []
    curves = (bench.curve(scorer, split, kind) for (kind, split), scorer in served.items())
    for score in chain(bench.compare(scorers), *curves):
        at = "" if score.boost is None else f", {score.boosted} boosted by {score.boost:g}"
        console.print(
            f"{score.model}, {score.split}, {score.slice}{at}: HIT@20 {100 * score.hit:.2f}, "
            f"MRR@20 {100 * score.mrr:.2f} ({score.n:,} prefixes)",
            highlight=False,
        )
        scores.append(score)
    return scores


def publish_scores(scores: Sequence[Score], config: Config, output: Path, stamp: Stamp) -> None:
    """Write rows of all draws as JSON, and their means as a page and the plot of the trade-off."""
    about = ("model", "split", "slice", "n", "seed", "boosted", "boost")
    made = {"data": config.name, "k": K, "commit": stamp.commit}
    rows = [
        {**{name: getattr(s, name) for name in about}, "metric": metric, "value": value, **made}
        for s in scores
        for metric, value in (("HIT", s.hit), ("MRR", s.mrr))
    ]
    means, title = over_draws(scores), f"New items on {config.name}"
    parts, plots = tables(means, config), {"": plot(means)}
    publish(output, f"cold-{config.name}", rows, stamp, title=title, parts=parts, plots=plots)


def tables(scores: Sequence[Score], config: Config) -> list[str]:
    """Return the tables in Markdown with explanations; `scores` are means over the draws."""
    compared = [
        [
            s.model,
            s.slice,
            f"{100 * s.hit:.2f}" + ("" if s.spread is None else f" ± {100 * s.spread:.2f}"),
            f"{100 * s.mrr:.2f}",
            f"{s.n:,}",
        ]
        for s in scores
        if s.boost is None
    ]
    hits = {(s.boosted, s.boost, s.split, s.slice): f"{100 * s.hit:.2f}" for s in scores}
    columns = (("valid", "All"), ("test", "All"), ("test", "cold target"))
    curve = []
    for boosted in (WITHOUT_HISTORY, LISTED_NEW):
        chosen = choose_boost(scores, boosted)
        for boost in BOOSTS:
            shown = f"**{boost:g}**" if boost == chosen else f"{boost:g}"
            curve.append([boosted, shown, *(hits[boosted, boost, split, part] for split, part in columns)])
    return [
        f"{100 * config.data.cold_item_share:g} % of the seen items drawn to be new; values in %, means over "
        "the draws ± standard deviation, n summed over them.",
        table(["model", "prefixes and candidates", "HIT@20", "MRR@20", "n"], compared, left=2),
        "What a boost of new items costs over all prefixes and brings to cold targets, both over all "
        "candidates (HIT@20). Bold: the highest that costs at most "
        f"{100 * ALLOWED_LOSS:g} % (relative) on validation.",
        table(["boosted", "boost", *(f"{split}: {part}" for split, part in columns)], curve, left=1),
    ]


def plot(scores: Sequence[Score]) -> str:
    """Draw HIT@20 of all test prefixes against that of cold targets, with a point per boost."""
    test = {(s.boosted, s.slice, s.boost): 100 * s.hit for s in scores if s.split == "test"}
    lines, notes = {}, []
    for boosted in (WITHOUT_HISTORY, LISTED_NEW):
        points = [(test[boosted, "All", b], test[boosted, "cold target", b]) for b in BOOSTS]
        lines[f"served, boost of {boosted}"] = points
        at = BOOSTS.index(choose_boost(scores, boosted))
        notes.append((f"{BOOSTS[at]:g}, chosen on validation", points[at]))
    levels = {
        s.model: 100 * s.hit
        for s in scores
        if s.boost is None and s.slice == "cold target" and s.model not in SERVED.values()
    }
    x, y = "HIT@20 of all test prefixes, %", "HIT@20 of cold targets, all candidates, %"
    return draw(Panel(x, y, lines, loose=True, levels=levels, notes=notes))


def cold_target_only(prefixes: Prefixes, catalogue: Catalogue, config: EvaluationConfig) -> np.ndarray:
    """Select the prefixes that hold seen items only and whose next item was never seen in training."""
    cold = offsets_of(catalogue.train_counts[prefixes.sessions.rows] == 0)
    starts = prefixes.sessions.offsets[prefixes.session]
    before = cold[starts + prefixes.length] - cold[starts]
    return (before == 0) & cold_target(prefixes, catalogue, config)

"""How well are items recommended that training never saw?

    m2trec bench cold -c configs/instacart_cold.yaml --seeds 7 8 9

The data are split with `data.cold_item_share`: items are drawn (seeded), and every session that holds one
leaves training and validation. A single popular item among them can decide the result, so there are several
draws, each with a model of its own, and their mean counts. Test prefixes are those whose next item was drawn
while nothing before was. They are ranked twice: among all items of the catalogue, and among the drawn items
alone. Then the knob of serving: a boost added to the scores of items without history trades HIT@20 of all
prefixes against that of new items. It is chosen on validation by what it costs there; the curve is drawn on
test.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from matplotlib.figure import Figure
from rich.console import Console

from benchmarks.records import commit, write_rows
from m2trec_merlin.artifacts import atomic_write
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config, EvaluationConfig, load_config
from m2trec_merlin.data.preparation import COLD_ITEMS_FILE, prepare_data
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.evaluation.metrics import hit_and_mrr
from m2trec_merlin.evaluation.plots import to_svg
from m2trec_merlin.evaluation.ranking import evaluate, sample_prefixes
from m2trec_merlin.evaluation.slices import cold_target_only
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.model.storage import load_model
from m2trec_merlin.neighbours.content_knn import ContentKnn, category_words
from m2trec_merlin.preprocessing.run import preprocess
from m2trec_merlin.scores import ItemScorer
from m2trec_merlin.sessions import Prefixes, Sessions
from m2trec_merlin.training.run import train

RESULTS = Path(__file__).parent / "results"

#: Added to the scores of new items, in units of the logarithm of odds.
BOOSTS = (0.0, 0.5, 1.0, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0, 3.0)

#: Which items are boosted: those that training never saw, or of them those that the shop knows to be new.
WITHOUT_HISTORY, LISTED_NEW = "items without history", "newly listed items"

#: What a boost may cost of the HIT@20 of all prefixes, relative.
ALLOWED_LOSS = 0.02

#: Prefixes of each split that every boost is tried on.
CURVE_PREFIXES = 5_000

K = 20


@dataclass(frozen=True)
class Score:
    """HIT@20 and MRR@20 of one recommender on some prefixes.

    Attributes:
        model: name.
        split: sessions.
        slice: which prefixes, and which items were ranked.
        boosted: which items; empty where there is no such knob.
        boost: added to their scores; None likewise.
        hit: HIT@20.
        mrr: MRR@20.
        n: prefixes.
        seed: of the draw and of the training; None for means over several.
        spread: standard deviation of `hit` over the draws; None for a single one.
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


class Boosted:
    """A recommender whose scores of some items are lifted.

    Args:
        inner: gives the scores.
        items: bool [N + 1], which are lifted.
        boost: by how much.
    """

    def __init__(self, inner: ItemScorer, items: np.ndarray, boost: float) -> None:
        self.name = inner.name
        self.candidates = inner.candidates
        self._inner = inner
        self._lift = np.where(items, np.float32(boost), np.float32(0))

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """Return the lifted scores, float32 [P, N + 1]."""
        return np.add(scores := self._inner.score(prefixes), self._lift, out=scores)


class ColdBench:
    """Measures on data that were split with cold items.

    Args:
        config: with `data.cold_item_share`.

    Raises:
        ConfigError: no item was drawn to be cold.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        data = config.directory / "preprocessed"
        self.catalogue = Catalogue.load(data / "catalogue")
        path = config.directory / "data" / COLD_ITEMS_FILE
        if not path.is_file():
            raise ConfigError(f"{config.name}: data.cold_item_share is 0; the experiment needs cold items")
        rows = self.catalogue.rows_of(pq.read_table(path).column(0).to_pylist())
        self.drawn = np.isin(np.arange(self.catalogue.n_rows), rows)
        self.train = Sessions.load(data / "sessions" / "train")
        test = Sessions.load(data / "sessions" / "test").prefixes()
        valid = Sessions.load(data / "sessions" / "valid").prefixes()
        size = min(config.evaluation.max_prefixes or CURVE_PREFIXES, CURVE_PREFIXES)
        self.all = {
            name: sample_prefixes(p, size, config.seed) for name, p in (("test", test), ("valid", valid))
        }
        cold = cold_target_only(test, self.catalogue, config.evaluation) & self.drawn[test.targets]
        self.cold = test.take(np.flatnonzero(cold))

    def compare(self, recommenders: Sequence[ItemScorer]) -> Iterator[Score]:
        """Rank the cold targets of the test sessions among all items, and among the drawn ones."""
        for recommender in recommenders:
            yield self.score(recommender, "test", "cold target", self.cold)
            yield self.score(recommender, "test", "cold target among cold items", self.cold, self.drawn)

    def curve(self, recommender: ItemScorer, split: str) -> Iterator[Score]:
        """Score all prefixes and the cold targets at every boost of each kind of new items."""
        unseen = self.catalogue.train_counts == 0
        for boosted, items in ((WITHOUT_HISTORY, unseen), (LISTED_NEW, self.drawn)):
            for boost in BOOSTS:
                lifted = Boosted(recommender, items, boost)
                # Validation holds no drawn item: it shows what a boost costs, test alone what it brings.
                parts = {"All": self.all[split]} | ({"cold target": self.cold} if split == "test" else {})
                for name, prefixes in parts.items():
                    score = self.score(lifted, split, name, prefixes)
                    yield dataclasses.replace(score, boosted=boosted, boost=boost)

    def score(
        self,
        recommender: ItemScorer,
        split: str,
        name: str,
        prefixes: Prefixes,
        candidates: np.ndarray | None = None,
    ) -> Score:
        """Measure one recommender on one set of prefixes."""
        settings = EvaluationConfig(ks=[K], baselines=[])
        outcome = evaluate(recommender, prefixes, self.catalogue, settings, candidates=candidates)
        hit, mrr = hit_and_mrr(outcome, K)
        return Score(recommender.name, split, name, "", None, hit, mrr, len(prefixes), self.config.seed)


def over_draws(scores: Sequence[Score]) -> list[Score]:
    """Return the means over the draws, in the order of the first draw."""
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="m2trec bench cold", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-c", "--config", type=Path, default=Path("configs/instacart_cold.yaml"))
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--seeds", type=int, nargs="+", help="draws; default: the configured one")
    options = parser.parse_args(arguments)
    console = Console()
    config = load_config(options.config)
    scores = []
    for seed in options.seeds or [config.seed]:
        console.rule(f"draw of seed {seed}", align="left")
        scores += measure_draw(draw(config, seed), console)
    publish(scores, config, options.config, options.output)
    return 0


def draw(config: Config, seed: int) -> Config:
    """Return the configuration with another draw; seeds but the configured one have a folder of their own."""
    if seed == config.seed:
        return config
    folder = config.directory
    other = folder.with_name(f"{folder.name}_{seed}")
    return config.model_copy(update={"seed": seed, "work_dir": other})


def measure_draw(config: Config, console: Console) -> list[Score]:
    """Prepare the data of one draw, train on them or go on with it, and measure."""
    prepare_data(config)
    preprocess(config)
    folder = train(config, console=console)
    bench = ColdBench(config)
    catalogue = bench.catalogue
    ours = ModelScorer(load_model(folder, catalogue), "M2TRec")
    recommenders: list[ItemScorer] = [
        ours,
        ContentKnn(catalogue, bench.train, name="content kNN (titles)"),
        ContentKnn(catalogue, bench.train, category_words(catalogue), "profile of categories"),
    ]
    scores = []
    for score in chain(bench.compare(recommenders), bench.curve(ours, "valid"), bench.curve(ours, "test")):
        at = "" if score.boost is None else f", {score.boosted} boosted by {score.boost:g}"
        console.print(
            f"{score.model}, {score.split}, {score.slice}{at}: HIT@20 {100 * score.hit:.2f}, "
            f"MRR@20 {100 * score.mrr:.2f} ({score.n:,} prefixes)",
            highlight=False,
        )
        scores.append(score)
    return scores


def publish(scores: Sequence[Score], config: Config, config_path: Path, output: Path) -> None:
    """Write rows of all draws as JSON, and their means as a page and the plot of the trade-off."""
    name, made = f"cold-{config.name}", commit()
    rows = [
        {
            "model": s.model,
            "data": config.name,
            "split": s.split,
            "slice": s.slice,
            "metric": metric,
            "k": K,
            "value": value,
            "n": s.n,
            "seed": s.seed,
            "boosted": s.boosted,
            "boost": s.boost,
            "commit": made,
        }
        for s in scores
        for metric, value in (("HIT", s.hit), ("MRR", s.mrr))
    ]
    write_rows(output / f"{name}.json", rows)
    means = over_draws(scores)
    seeds = list(dict.fromkeys(s.seed for s in scores))
    command = f"m2trec bench cold -c {config_path} --seeds {' '.join(map(str, seeds))}"
    atomic_write(output / f"{name}.md", page(means, config, command, made))
    atomic_write(output / f"{name}.svg", plot(means))


def page(scores: Sequence[Score], config: Config, command: str, made: str) -> str:
    """Return the tables in Markdown; `scores` are means over the draws."""
    lines = [
        f"# New items on {config.name}",
        "",
        f"Made by `{command}` at commit {made}: {100 * config.data.cold_item_share:g} % of the seen items "
        "drawn to be new; values in %, means over the draws ± standard deviation, n summed over them.",
        "",
        "| model | prefixes and candidates | HIT@20 | MRR@20 | n |",
        "|---|---|---:|---:|---:|",
    ]
    lines += [
        f"| {s.model} | {s.slice} | {100 * s.hit:.2f}"
        f"{'' if s.spread is None else f' ± {100 * s.spread:.2f}'} | {100 * s.mrr:.2f} | {s.n:,} |"
        for s in scores
        if s.boost is None
    ]
    lines += [
        "",
        "What a boost of new items costs over all prefixes and brings to cold targets, both over all "
        "candidates (HIT@20). Bold: the highest that costs at most "
        f"{100 * ALLOWED_LOSS:g} % (relative) on validation.",
        "",
        "| boosted | boost | valid: All | test: All | test: cold target |",
        "|---|---:|---:|---:|---:|",
    ]
    hits = {(s.boosted, s.boost, s.split, s.slice): f"{100 * s.hit:.2f}" for s in scores}
    for boosted in (WITHOUT_HISTORY, LISTED_NEW):
        chosen = choose_boost(scores, boosted)
        for boost in BOOSTS:
            shown = f"**{boost:g}**" if boost == chosen else f"{boost:g}"
            columns = (("valid", "All"), ("test", "All"), ("test", "cold target"))
            cells = [hits[boosted, boost, split, part] for split, part in columns]
            lines.append(f"| {boosted} | {shown} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"![trade-off](cold-{config.name}.svg)", ""])


def plot(scores: Sequence[Score]) -> str:
    """Draw HIT@20 of all test prefixes against that of cold targets, a point a boost."""
    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    axes = figure.subplots()
    test = {(s.boosted, s.slice, s.boost): 100 * s.hit for s in scores if s.split == "test"}
    for boosted in (WITHOUT_HISTORY, LISTED_NEW):
        overall = [test[boosted, "All", boost] for boost in BOOSTS]
        cold = [test[boosted, "cold target", boost] for boost in BOOSTS]
        axes.plot(overall, cold, marker="o", markersize=4, label=f"M2TRec, boost of {boosted}")
        at = BOOSTS.index(choose_boost(scores, boosted))
        axes.annotate(
            f"{BOOSTS[at]:g}, chosen on validation",
            (overall[at], cold[at]),
            (4, 4),
            textcoords="offset points",
        )
    for s in scores:
        if s.boost is None and s.slice == "cold target" and s.model != "M2TRec":
            axes.axhline(100 * s.hit, linestyle="--", linewidth=1, color="grey")
            axes.text(axes.get_xlim()[0], 100 * s.hit, f" {s.model}", color="grey", va="bottom")
    axes.set_xlabel("HIT@20 of all test prefixes, %")
    axes.set_ylabel("HIT@20 of cold targets, all candidates, %")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=9)
    return to_svg(figure)

"""How well are items recommended that training never saw?

    m2trec bench cold -c configs/instacart_cold.yaml

The data are split with `data.cold_item_share`: items are drawn (seeded), and every session that holds one
leaves training and validation. Test prefixes are those whose next item was drawn while nothing before was.
They are ranked twice: among all items of the catalogue, and among the drawn items alone. Then the knob of
serving: a boost added to the scores of items without history trades HIT@20 of all prefixes against that of
new items. It is chosen on validation by what it costs there; the curve is drawn on test.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from matplotlib.figure import Figure
from rich.console import Console

from benchmarks.records import commit
from m2trec_merlin.artifacts import atomic_write
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config, EvaluationConfig, load_config
from m2trec_merlin.data.preparation import COLD_ITEMS_FILE, prepare_data
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.evaluation.baselines import ContentKnn, category_words
from m2trec_merlin.evaluation.plots import to_svg
from m2trec_merlin.evaluation.ranking import evaluate, sample_prefixes
from m2trec_merlin.evaluation.recommender import Recommender
from m2trec_merlin.evaluation.slices import cold_target_only
from m2trec_merlin.model.recommender import ModelRecommender
from m2trec_merlin.model.storage import load_model
from m2trec_merlin.preprocessing import preprocess
from m2trec_merlin.sessions import Prefixes, Sessions
from m2trec_merlin.training.run import train

RESULTS = Path(__file__).parent / "results"

#: Added to the scores of items without history, in units of the logarithm of odds.
BOOSTS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0)

#: What a boost may cost of the HIT@20 of all prefixes, relative.
ALLOWED_LOSS = 0.02

K = 20


@dataclass(frozen=True)
class Score:
    """HIT@20 and MRR@20 of one recommender on some prefixes.

    Attributes:
        model: name.
        split: sessions.
        slice: which prefixes, and which items were ranked.
        boost: of items without history; None where there is no such knob.
        hit: HIT@20.
        mrr: MRR@20.
        n: prefixes.
    """

    model: str
    split: str
    slice: str
    boost: float | None
    hit: float
    mrr: float
    n: int


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
        size = config.evaluation.max_prefixes
        self.all = {
            name: sample_prefixes(p, size, config.seed) for name, p in (("test", test), ("valid", valid))
        }
        cold = cold_target_only(test, self.catalogue, config.evaluation) & self.drawn[test.targets]
        # Validation holds no drawn item; items that training happens never to have seen stand for them.
        unseen = cold_target_only(valid, self.catalogue, config.evaluation) & (valid.targets > 0)
        self.cold = {"test": test.take(np.flatnonzero(cold)), "valid": valid.take(np.flatnonzero(unseen))}

    def compare(self, recommenders: Sequence[Recommender]) -> Iterator[Score]:
        """Rank the cold targets of the test sessions among all items, and among the drawn ones."""
        for recommender in recommenders:
            yield self.score(recommender, "test", "cold target", self.cold["test"])
            among = self.score(
                recommender, "test", "cold target among cold items", self.cold["test"], self.drawn
            )
            yield among

    def curve(self, model: Any, split: str) -> Iterator[Score]:
        """Score all prefixes and the cold targets at every boost."""
        for boost in BOOSTS:
            recommender = ModelRecommender(model, "M2TRec", new_item_boost=boost)
            yield self.score(recommender, split, "All", self.all[split], boost=boost)
            yield self.score(recommender, split, "cold target", self.cold[split], boost=boost)

    def score(
        self,
        recommender: Recommender,
        split: str,
        name: str,
        prefixes: Prefixes,
        candidates: np.ndarray | None = None,
        boost: float | None = None,
    ) -> Score:
        """Measure one recommender on one set of prefixes."""
        settings = EvaluationConfig(ks=[K], baselines=[])
        outcome = evaluate(recommender, prefixes, self.catalogue, settings, candidates=candidates)
        assert outcome.items is not None
        ranks = outcome.items.target
        found = 1 / ranks[ranks <= K]
        return Score(
            recommender.name,
            split,
            name,
            boost,
            float((ranks <= K).mean()),
            float(found.sum() / len(ranks)),
            len(ranks),
        )


def choose_boost(curve: Sequence[Score], allowed_loss: float = ALLOWED_LOSS) -> float:
    """Return the highest boost that costs at most the allowed share of the HIT@20 of all prefixes."""
    overall = {score.boost: score.hit for score in curve if score.slice == "All"}
    least = (1 - allowed_loss) * overall[0.0]
    return max(boost for boost, hit in overall.items() if boost is not None and hit >= least)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="m2trec bench cold", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-c", "--config", type=Path, default=Path("configs/instacart_cold.yaml"))
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    console = Console()
    config = load_config(options.config)
    prepare_data(config)
    preprocess(config)
    folder = train(config, console=console)
    bench = ColdBench(config)
    catalogue = bench.catalogue
    model = load_model(folder, catalogue)
    recommenders: list[Recommender] = [
        ModelRecommender(model, "M2TRec"),
        ContentKnn(catalogue, bench.train, name="content kNN (titles)"),
        ContentKnn(catalogue, bench.train, category_words(catalogue), "profile of categories"),
    ]
    scores = []
    for score in (*bench.compare(recommenders), *bench.curve(model, "valid"), *bench.curve(model, "test")):
        at = "" if score.boost is None else f", boost {score.boost:g}"
        console.print(
            f"{score.model}, {score.split}, {score.slice}{at}: HIT@20 {100 * score.hit:.2f}, "
            f"MRR@20 {100 * score.mrr:.2f} ({score.n:,} prefixes)",
            highlight=False,
        )
        scores.append(score)
    boost = choose_boost([score for score in scores if score.split == "valid" and score.boost is not None])
    console.print(f"boost chosen on validation: {boost:g}")
    publish(scores, boost, int(bench.drawn.sum()), config, options.output)
    return 0


def publish(scores: Sequence[Score], boost: float, n_cold: int, config: Config, output: Path) -> None:
    """Write rows as JSON, a page and the plot of the trade-off."""
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
            "seed": config.seed,
            "boost": s.boost,
            "commit": made,
        }
        for s in scores
        for metric, value in (("HIT", s.hit), ("MRR", s.mrr))
    ]
    atomic_write(output / f"{name}.json", "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    atomic_write(output / f"{name}.md", page(scores, boost, n_cold, config))
    atomic_write(output / f"{name}.svg", plot([s for s in scores if s.split == "test"], boost))


def page(scores: Sequence[Score], boost: float, n_cold: int, config: Config) -> str:
    """Return the tables in Markdown."""
    chance = 100 * K / n_cold
    lines = [
        f"# New items on {config.name}",
        "",
        f"Made by `m2trec bench cold`; {n_cold:,} items drawn to be cold, seed {config.seed}; values in %. "
        f"Among cold items, chance is {chance:.2f}.",
        "",
        "| model | prefixes and candidates | HIT@20 | MRR@20 | n |",
        "|---|---|---:|---:|---:|",
    ]
    lines += [
        f"| {s.model} | {s.slice} | {100 * s.hit:.2f} | {100 * s.mrr:.2f} | {s.n:,} |"
        for s in scores
        if s.boost is None
    ]
    lines += [
        "",
        "The boost of items without history, over all candidates; on validation "
        f"{boost:g} is the highest that costs at most {100 * ALLOWED_LOSS:g} % of the overall HIT@20.",
        "",
        "| boost | valid: All | valid: cold target | test: All | test: cold target |",
        "|---:|---:|---:|---:|---:|",
    ]
    hits = {(s.split, s.slice, s.boost): s.hit for s in scores}
    for value in BOOSTS:
        cells = [
            f"{100 * hits[split, part, value]:.2f}"
            for split in ("valid", "test")
            for part in ("All", "cold target")
        ]
        lines.append(f"| {value:g} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"![trade-off](cold-{config.name}.svg)", ""])


def plot(scores: Sequence[Score], boost: float) -> str:
    """Draw HIT@20 of all prefixes against that of cold targets, a point a boost."""
    overall = {s.boost: 100 * s.hit for s in scores if s.slice == "All"}
    cold = {s.boost: 100 * s.hit for s in scores if s.slice == "cold target" and s.boost is not None}
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    axes.plot(
        [overall[b] for b in BOOSTS], [cold[b] for b in BOOSTS], marker="o", markersize=4, label="M2TRec"
    )
    for value in BOOSTS:
        chosen = " (chosen on validation)" if value == boost else ""
        axes.annotate(f"{value:g}{chosen}", (overall[value], cold[value]), (4, 4), textcoords="offset points")
    for name in dict.fromkeys(s.model for s in scores if s.slice == "cold target" and s.boost is None):
        if name == "M2TRec":
            continue
        level = next(100 * s.hit for s in scores if (s.model, s.slice) == (name, "cold target"))
        axes.axhline(level, linestyle="--", linewidth=1, color="grey")
        axes.annotate(name, (min(overall.values()), level), (0, 3), textcoords="offset points", color="grey")
    axes.set_xlabel("HIT@20 of all test prefixes, %")
    axes.set_ylabel("HIT@20 of cold targets, all candidates, %")
    axes.set_title("Boost of items without history", loc="left", fontsize=11)
    axes.grid(alpha=0.3)
    return to_svg(figure)

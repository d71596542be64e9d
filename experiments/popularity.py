"""How well do metadata predict how popular an item will be?

    python -m experiments popularity -c configs/instacart.yaml

Cross-validation over the training items: the model's regression for the popularity of items without a history
(`model/expected_popularity.py`), fitted to the items of the other folds, predicts their occurrences. Two
measures: the share of the Poisson deviance that is explained; and, among 5 % of the items drawn at random,
the share of their occurrences that the 20 highest predictions have, which is closer to what a shop sees.
Validation and test sessions are not used.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.metrics import d2_tweedie_score

from benchmarks.frame.parse import Parser, read
from benchmarks.frame.prepare import Prepared, prepare
from benchmarks.frame.publish import Records, publish
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.model.catalogue_tensors import CatalogueTensors
from m2trec_merlin.model.expected_popularity import PENALTY
from m2trec_merlin.model.m2trec import build_expected_popularity

FOLDS, SHARE, DRAWS, K = 5, 0.05, 100, 20


def options(parser: Parser) -> None:
    parser.add_config("configs/instacart.yaml")
    parser.add_argument(
        "--penalties",
        type=float,
        nargs="+",
        default=[0.003, PENALTY, 0.03],
        help="of large weights in the regression, one fit for each",
    )


def run(options: Namespace) -> None:
    data = prepare(read(options))
    records, name = measure(data, options.penalties, options.stamp.commit), data.config.name
    title = f"Popularity foretold on {name}"
    print(publish(options.output, f"popularity-{name}", records, options.stamp, title=title))


@dataclass(frozen=True)
class Quality:
    """The quality of predictions for items that the regression was not fitted to.

    Attributes:
        explained: explained share of the Poisson deviance.
        top_share: share of drawn items' occurrences that the highest K predictions have; mean over draws.
    """

    explained: float
    top_share: float


def predict(
    config: Config, catalogue: Catalogue, attributes: Sequence[str], penalty: float, folds: np.ndarray
) -> np.ndarray:
    """Predict the occurrences of each training item from the items of the other folds.

    Args:
        config: options of the attributes.
        catalogue: catalogue of the run.
        attributes: names of the attributes to predict from.
        penalty: L2 penalty of the regression.
        folds: fold of each training item, int64 [n].

    Returns:
        The predicted occurrences, float64 [n].
    """
    columns = [catalogue.attributes[name] for name in attributes]
    held = CatalogueTensors(columns)
    rows = np.arange(1, len(folds) + 1)
    predicted = np.zeros(len(folds))
    for fold in range(folds.max() + 1):
        fitted = folds != fold
        regression = build_expected_popularity(config, columns)
        regression.fit(catalogue, rows[fitted], penalty)
        expected = regression(held(torch.from_numpy(rows[~fitted]))).squeeze(1).double()
        predicted[~fitted] = expected.exp().numpy()
    return predicted


def judge(predicted: np.ndarray, occurrences: np.ndarray, random: np.random.Generator) -> Quality:
    """Measure predictions, float64 [n], against occurrences, int64 [n]."""
    size = max(K, round(SHARE * len(occurrences)))
    shares = []
    for _ in range(DRAWS):
        drawn = random.choice(len(occurrences), size, replace=False)
        highest = drawn[np.argsort(-predicted[drawn], kind="stable")[:K]]
        shares.append(occurrences[highest].sum() / occurrences[drawn].sum())
    return Quality(d2_tweedie_score(occurrences, predicted, power=1), float(np.mean(shares)))


def measure(data: Prepared, penalties: Sequence[float], commit: str) -> Records:
    """Compare all attributes with all but one, and penalties with each other."""
    config, catalogue = data.config, data.catalogue
    counts = catalogue.train_counts[1 : catalogue.n_seen + 1]
    folds = np.random.default_rng(config.seed).integers(0, FOLDS, len(counts))
    names = list(catalogue.attributes)
    cases = [("all attributes", names, penalty) for penalty in penalties]
    if len(names) > 1:
        cases += [(f"without {name}", [n for n in names if n != name], PENALTY) for name in names]
    predictions = {
        f"{title}, penalty {penalty:g}": predict(config, catalogue, attributes, penalty, folds)
        for title, attributes, penalty in cases
    }
    predictions["known occurrences"] = counts.astype(float)
    records = Records(config.name, commit)
    for title, predicted in predictions.items():
        quality = judge(predicted, counts, np.random.default_rng(config.seed))
        records.add(title, "deviance explained", quality.explained, "share")
        records.add(title, f"occurrences in the first {K}", quality.top_share, "share")
        print(f"{title}: {quality}", flush=True)
    return records

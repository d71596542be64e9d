"""The cells of the paper's tables, one for every model and seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.frame import parse
from m2trec_merlin.config import VARIANTS, Config
from m2trec_merlin.errors import ConfigError

#: Models of RecBole that the paper compares with (Table 2), by class name.
RECBOLE = ("STAMP", "GRU4Rec", "NARM")

#: Variants that are also measured as served, in the mixture that `m2trec tune` chooses.
SERVED = ("m2trec", "m2trec_id")

#: Scorers that learn no weights. EASE is left out, as these data have too many items for it.
BASELINES = ("popularity", "markov", "item_knn", "session_knn", "content_knn")

#: Variants that are trained with every seed; others are trained with the first one only.
EVERY_SEED = ("m2trec", "trec_id")

Kind = Literal["variant", "served", "recbole", "baseline", "categories"]


@dataclass(frozen=True)
class Cell:
    """One model with one seed: the unit whose result is stored.

    Attributes:
        kind: kind of model: a variant, a variant in its served mixture, a model of RecBole, a baseline
            without training, or a heuristic for categories.
        model: name of the variant, of RecBole's class, or of the baseline.
        title: name in the tables.
        seed: seed of initialisation, order and dropout.
    """

    kind: Kind
    model: str
    title: str
    seed: int

    @property
    def slug(self) -> str:
        """Name of the cell's folder."""
        return f"{self.model.lower()}-{self.seed}"

    @property
    def trained(self) -> Cell:
        """The cell of the variant that this cell depends on (served, predicted), or this cell itself."""
        if self.kind == "served":
            variant = self.model.partition("+")[0]
        elif self.model == "predicted":
            variant = "metrec"
        else:
            return self
        return Cell("variant", variant, VARIANTS[variant].title, self.seed)


def plan(config: Config, seeds: Sequence[int], every_seed: Sequence[str] = EVERY_SEED) -> list[Cell]:
    """List the cells of the tables.

    Args:
        config: configuration of the data; variants that need an attribute it lacks are left out.
        seeds: the seeds; the first one is for all models.
        every_seed: variants that are trained with all seeds.

    Raises:
        ConfigError: there is no seed, or a variant does not exist.
    """
    if not seeds:
        raise ConfigError("--seeds: at least one is needed")
    if unknown := [name for name in every_seed if name not in VARIANTS]:
        raise ConfigError(f"--every-seed: no variant {unknown}; accepted: {', '.join(VARIANTS)}")
    first = seeds[0]
    cells = [Cell("variant", name, VARIANTS[name].title, first) for name in runnable_variants(config)]
    cells += [
        Cell("served", f"{cell.model}+served", f"{cell.title}, served", first)
        for cell in cells
        if cell.model in SERVED
    ]
    cells += [Cell("recbole", name, name, first) for name in RECBOLE]
    cells += [Cell("baseline", name, _spelled(name), first) for name in BASELINES]
    if config.model.next_attributes:
        cells.append(Cell("categories", "frequent", "top-N frequent", first))
        cells.append(Cell("categories", "predicted", "top-N predicted (MeTRec)", first))
    more = [cell for cell in cells if cell.kind in ("variant", "served") and cell.trained.model in every_seed]
    return cells + [Cell(c.kind, c.model, c.title, seed) for seed in seeds[1:] for c in more]


def runnable_variants(config: Config) -> list[str]:
    """Return the variants whose attributes the data have, in the order of Table 3."""
    names = []
    for name in VARIANTS:
        try:
            config.with_variant(name)
        except ConfigError:
            continue
        names.append(name)
    return names


def choose(cells: Sequence[Cell], names: Sequence[str] | None) -> list[Cell]:
    """Return the cells whose folder name begins with one of `names`, ignoring case; all if there are none.

    Raises:
        ConfigError: no cell fits a name.
    """
    return parse.choose(cells, names, lambda cell: cell.slug, str.startswith, "cell")


def _spelled(name: str) -> str:
    return name.replace("_knn", " kNN")

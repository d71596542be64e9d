"""What the table holds: one cell for every model and seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.frame import parse
from m2trec_merlin.config import VARIANTS, Config
from m2trec_merlin.errors import ConfigError

#: Models of RecBole that the paper compares with (Table 2), by class name.
RECBOLE = ("STAMP", "GRU4Rec", "NARM")

#: Variants that are measured a second time as they are served: in the mixture that `m2trec tune` chooses.
SERVED = ("m2trec", "m2trec_id")

#: Scorers that learn no weights. EASE is for fewer items than these data have.
BASELINES = ("popularity", "markov", "item_knn", "session_knn", "content_knn")

#: Variants that are trained with every seed; the others with the first one.
EVERY_SEED = ("m2trec", "trec_id")

Kind = Literal["variant", "served", "recbole", "baseline", "categories"]


@dataclass(frozen=True)
class Cell:
    """One model with one seed: the unit that is kept when a run is killed.

    Attributes:
        kind: who trains it: we, we and mixed as it is served, RecBole, nobody (fitted in a moment), or a
            heuristic for categories.
        model: variant, class of RecBole, or name of the baseline.
        title: as the table calls it.
        seed: of initialisation, order and dropout.
    """

    kind: Kind
    model: str
    title: str
    seed: int

    @property
    def slug(self) -> str:
        """Its name as a folder."""
        return f"{self.model.lower()}-{self.seed}"

    @property
    def trained(self) -> Cell:
        """The variant that is served, and predicted categories are from; any other cell itself."""
        if self.kind == "served":
            variant = self.model.partition("+")[0]
        elif self.model == "predicted":
            variant = "metrec"
        else:
            return self
        return Cell("variant", variant, VARIANTS[variant].title, self.seed)


def plan(config: Config, seeds: Sequence[int], every_seed: Sequence[str] = EVERY_SEED) -> list[Cell]:
    """List the cells of a table.

    Args:
        config: of the data; variants that need an attribute it lacks are left out.
        seeds: the first one is for all models.
        every_seed: variants that are trained with all of them.

    Raises:
        ConfigError: no seed, or a variant that does not exist.
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
    """Return the cells whose folder begins with one of `names`, ignoring case; all without names.

    Raises:
        ConfigError: a name fits none.
    """
    return parse.choose(cells, names, lambda cell: cell.slug, str.startswith, "cell")


def _spelled(name: str) -> str:
    return name.replace("_knn", " kNN")

"""The weights of a run's mixture: as configured, or as chosen on validation."""

from __future__ import annotations

from m2trec_merlin.artifacts import read_json, reading
from m2trec_merlin.config.serving import FixedMixture, NoMixture
from m2trec_merlin.neighbours.weights import Weights
from m2trec_merlin.runs import Run

#: Name of the file with the choice in the folder that `m2trec tune` writes.
MIXTURE_FILE = "mixture.json"


def mixture_weights(run: Run) -> Weights | None:
    """Return the weights for evaluation and export of a run; None if its model is served alone.

    Raises:
        ArtifactError: the weights should have been chosen on validation, but are missing or were altered.
    """
    mixture = run.config.serving.mixture
    if isinstance(mixture, NoMixture):
        return None
    if isinstance(mixture, FixedMixture):
        return Weights(**mixture.weights())
    run.step("tune").require_unaltered()
    path = run.mixture / MIXTURE_FILE
    content = read_json(path, "tune")
    with reading(path, "tune"):
        return Weights(**content["weights"])

"""A run: the paths of its results, and whether these were made for its configuration."""

from m2trec_merlin.runs.definitions import VERBS, Verb
from m2trec_merlin.runs.folder import HeldOut, RunFolder
from m2trec_merlin.runs.run import Run
from m2trec_merlin.runs.steps import Step

__all__ = ["VERBS", "HeldOut", "Run", "RunFolder", "Step", "Verb"]

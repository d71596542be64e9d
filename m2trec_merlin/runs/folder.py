"""All paths of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from m2trec_merlin.config.settings import VARIANTS_FOLDER
from m2trec_merlin.config.variants import M2TREC

#: The splits that no model is trained on.
HeldOut = Literal["valid", "test"]

#: Names inside data/, preprocessed/ and model/. The first two folders are written under a temporary name.
ITEMS_FILE, COLD_ITEMS_FILE, INTERACTIONS = "items.parquet", "cold_items.parquet", "interactions"
#: Names of part files inside interactions/SPLIT/, as a format of their number, and as a pattern.
PART, PARTS = "part-{:05d}.parquet", "part-*.parquet"
#: The name in the manifest of data/ for the column and format of times.
TIMES = "times"
#: Reports for people beside the tables of data/, which no later step reads.
REPORT_PAGE, REPORT_NUMBERS = "report.html", "report.json"
CATALOGUE, ITEMS_WORKFLOW, SESSIONS = "catalogue", "items_workflow", "sessions"
#: The folder inside sessions/ of the workflow that encodes attributes of events, if there are any.
EVENTS_WORKFLOW = "workflow"
#: The folder inside sessions/ of beginnings of held-out sessions that an earlier run was trained on, if any.
TRAINED_BEFORE = "trained_before"
CHECKPOINTS, TENSORBOARD = "checkpoints", "tensorboard"


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run.

    Attributes:
        directory: folder of the results that variants share: data/ and preprocessed/.
        model_directory: folder of the results that depend on the model: model/, mixture/, evaluation/,
            triton/.
    """

    directory: Path
    model_directory: Path

    @classmethod
    def at(cls, path: Path) -> RunFolder:
        """Return the run in a folder; for the folder of a variant, with the data of the run above it."""
        own = RunFolder(path, path)
        real = path.resolve()
        is_variant = real.parent.name == VARIANTS_FOLDER and not own.data.is_dir()
        return RunFolder(real.parents[1], path) if is_variant else own

    @property
    def is_variant(self) -> bool:
        """Whether this is a variant, which uses the data of another run."""
        return self.directory != self.model_directory

    @property
    def variant(self) -> str:
        """The name of the variant, or of the model itself."""
        return self.model_directory.name if self.is_variant else M2TREC

    def variants(self) -> list[RunFolder]:
        """Return the existing variants of this run, which share its data."""
        folder = self.model_directory / VARIANTS_FOLDER
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
        return [RunFolder(self.directory, path) for path in paths if path.is_dir() and not path.is_symlink()]

    @property
    def data(self) -> Path:
        """The output of `m2trec data`: the canonical tables."""
        return self.directory / "data"

    @property
    def items(self) -> Path:
        """The canonical table of items."""
        return self.data / ITEMS_FILE

    @property
    def cold_items(self) -> Path:
        """The items that `data.cold_item_share` took out of training."""
        return self.data / COLD_ITEMS_FILE

    @property
    def data_report(self) -> Path:
        """The report on the data, to be read before training."""
        return self.data / REPORT_PAGE

    @property
    def preprocessed(self) -> Path:
        """The output of `m2trec preprocess`: catalogue, items workflow and sessions."""
        return self.directory / "preprocessed"

    @property
    def catalogue(self) -> Path:
        """The encoded items."""
        return self.preprocessed / CATALOGUE

    @property
    def items_workflow(self) -> Path:
        """The fitted workflow that encodes items."""
        return self.preprocessed / ITEMS_WORKFLOW

    @property
    def events_workflow(self) -> Path:
        """The fitted part of the sessions workflow that encodes attributes of events, if there are any."""
        return self.preprocessed / SESSIONS / EVENTS_WORKFLOW

    def sessions(self, split: str) -> Path:
        """The sessions of `train`, `valid` or `test`, in rows of the catalogue."""
        return self.preprocessed / SESSIONS / split

    @property
    def model(self) -> Path:
        """The output of `m2trec train`: weights, their description, and records of the training."""
        return self.model_directory / "model"

    def checkpoints(self, training: str) -> Path:
        """The folder of a training's checkpoints and best weights, by its fingerprint."""
        return self.model / CHECKPOINTS / training

    def drawn_sessions(self, training: str) -> Path:
        """The sessions of a training that continues from an earlier run; they exist only while it runs."""
        return self.checkpoints(training) / SESSIONS

    @property
    def history(self) -> Path:
        """The file with a record for each epoch of the training."""
        return self.model / "history.json"

    @property
    def tensorboard(self) -> Path:
        """The folder of learning curves."""
        return self.model / TENSORBOARD

    @property
    def mixture(self) -> Path:
        """The output of `m2trec tune`: the weights of the mixture, and the measurements behind the choice."""
        return self.model_directory / "mixture"

    @property
    def evaluation(self) -> Path:
        """The output of `m2trec evaluate`: metrics, plots and report."""
        return self.model_directory / "evaluation"

    def evaluation_of(self, split: HeldOut) -> Path:
        """The evaluation on a split: that on test sessions, or that of `m2trec evaluate --split valid`."""
        return self.evaluation if split == "test" else self.model_directory / f"evaluation_{split}"

    @property
    def report(self) -> Path:
        """The report of the evaluation."""
        return self.evaluation / REPORT_PAGE

    @property
    def drift(self) -> Path:
        """The output of `m2trec drift`: how the data differ from those of an earlier run."""
        return self.directory / "drift"

    @property
    def triton(self) -> Path:
        """The output of `m2trec export`: Triton's model repository."""
        return self.model_directory / "triton"

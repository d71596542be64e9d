"""Where everything of a run is: every path once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from m2trec_merlin.config.settings import VARIANTS_FOLDER

#: Sessions that no model is trained on.
HeldOut = Literal["valid", "test"]

#: Inside data/, preprocessed/ and model/, the first two of which are written under a temporary name.
ITEMS_FILE, COLD_ITEMS_FILE, INTERACTIONS = "items.parquet", "cold_items.parquet", "interactions"
#: Inside interactions/, in a folder for each split: how a part is called, by its number, and what finds them.
PART, PARTS = "part-{:05d}.parquet", "part-*.parquet"
#: What the manifest of data/ calls the column of times, and how they are written.
TIMES = "times"
#: Beside the tables of data/, made of them and for people: no later step reads these.
REPORT_PAGE, REPORT_NUMBERS = "report.html", "report.json"
CATALOGUE, ITEMS_WORKFLOW, SESSIONS = "catalogue", "items_workflow", "sessions"
#: Inside sessions/, where events have attributes: what encodes them.
EVENTS_WORKFLOW = "workflow"
CHECKPOINTS, TENSORBOARD = "checkpoints", "tensorboard"


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run.

    Attributes:
        directory: of what variants share: data/ and preprocessed/.
        model_directory: of what depends on the model: model/, mixture/, evaluation/ and triton/.
    """

    directory: Path
    model_directory: Path

    @classmethod
    def at(cls, path: Path) -> RunFolder:
        """Return the run that a folder is; a variant shares the data of the run that it stands in."""
        own = RunFolder(path, path)
        real = path.resolve()
        is_variant = real.parent.name == VARIANTS_FOLDER and not own.data.is_dir()
        return RunFolder(real.parents[1], path) if is_variant else own

    @property
    def is_variant(self) -> bool:
        """Whether its data are those of another one."""
        return self.directory != self.model_directory

    def variants(self) -> list[RunFolder]:
        """Return the variants that are there, which share its data."""
        folder = self.model_directory / VARIANTS_FOLDER
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
        return [RunFolder(self.directory, path) for path in paths if path.is_dir()]

    @property
    def data(self) -> Path:
        """What `m2trec data` writes: the canonical tables."""
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
        """The data as a page to read, before training."""
        return self.data / REPORT_PAGE

    @property
    def preprocessed(self) -> Path:
        """What `m2trec preprocess` writes: catalogue, items workflow and sessions."""
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
        """The fitted part of the sessions workflow, which encodes attributes of events, if there are any."""
        return self.preprocessed / SESSIONS / EVENTS_WORKFLOW

    def sessions(self, split: str) -> Path:
        """The sessions of `train`, `valid` or `test`, in rows of the catalogue."""
        return self.preprocessed / SESSIONS / split

    @property
    def model(self) -> Path:
        """What `m2trec train` writes: weights, their description, and how they came about."""
        return self.model_directory / "model"

    def checkpoints(self, training: str) -> Path:
        """Where one training keeps its checkpoints and its best weights, by its fingerprint."""
        return self.model / CHECKPOINTS / training

    def drawn_sessions(self, training: str) -> Path:
        """The sessions of one training that goes on from an earlier run, while it lasts."""
        return self.checkpoints(training) / SESSIONS

    @property
    def history(self) -> Path:
        """A record for each epoch of the training."""
        return self.model / "history.json"

    @property
    def tensorboard(self) -> Path:
        """Learning curves."""
        return self.model / TENSORBOARD

    @property
    def mixture(self) -> Path:
        """What `m2trec tune` writes: what counts how much beside the model, and what that was chosen on."""
        return self.model_directory / "mixture"

    @property
    def evaluation(self) -> Path:
        """What `m2trec evaluate` writes: metrics, plots and report."""
        return self.model_directory / "evaluation"

    def evaluation_of(self, split: HeldOut) -> Path:
        """The evaluation on test sessions, or what `m2trec evaluate --split valid` writes beside it."""
        return self.evaluation if split == "test" else self.model_directory / f"evaluation_{split}"

    @property
    def report(self) -> Path:
        """The evaluation as a page to read."""
        return self.evaluation / REPORT_PAGE

    @property
    def drift(self) -> Path:
        """What `m2trec drift` writes: how the data differ from those of an earlier run."""
        return self.directory / "drift"

    @property
    def triton(self) -> Path:
        """What `m2trec export` writes: Triton's model repository."""
        return self.model_directory / "triton"

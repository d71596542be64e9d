"""Training that continues from an earlier run: its initial weights, and its sessions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from m2trec_merlin.artifacts import atomic_directory, reading
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import TrainingConfig
from m2trec_merlin.errors import ArtifactError, NothingToDoError
from m2trec_merlin.model.continuing import take_over
from m2trec_merlin.model.m2trec import M2TRec, build_model
from m2trec_merlin.model.storage import WEIGHTS, load_model
from m2trec_merlin.preprocessing.run import START
from m2trec_merlin.preprocessing.trained_before import trained_sessions
from m2trec_merlin.runs import Run
from m2trec_merlin.runs.settings import differences, made_of
from m2trec_merlin.sessions import event_fields, identify_file, session_files

#: Maximum share of the steps in which the learning rate rises.
_WARM_UP = 0.2


@dataclass(frozen=True)
class Drawn:
    """Numbers of sessions to train on: sessions new to the model, and sessions of the earlier run."""

    new: int
    old: int


class Continuation:
    """A run that continues training from an earlier run.

    Args:
        run: the run, preprocessed to start from the earlier one.
        earlier: the earlier run, trained.
        catalogue: catalogue of the run.

    Raises:
        ArtifactError: the run was not preprocessed to start from the earlier one; its model has other
            settings, which the message names; or `data.cold_item_share` takes items out of training.
    """

    def __init__(self, run: Run, earlier: Run, catalogue: Catalogue) -> None:
        require_same_model(run, earlier)
        if run.config.data.cold_item_share:
            raise ArtifactError(
                f"data.cold_item_share takes items out of training that {earlier.model_directory} learned "
                "from: leave it out, or train without --from"
            )
        step = earlier.step("preprocess")
        started = run.step("preprocess").manifest()["settings"].get(START)
        if started != step.identity(step.manifest()):
            raise ArtifactError(
                f"{run.preprocessed} does not start from {earlier.preprocessed}: run `m2trec preprocess "
                f"--from {earlier.model_directory}`"
            )
        self._earlier = earlier
        self._run = run
        self._catalogue = catalogue
        self._before = Catalogue.load(earlier.catalogue)
        #: Current row of each earlier row's item, int64 [rows of the earlier catalogue].
        self.row_of = self._before.rows_in(catalogue)

    def build(self) -> M2TRec:
        """Build the run's model with the weights of the earlier model.

        Raises:
            ArtifactError: the earlier model is damaged, or was not trained on the catalogue in its run.
        """
        earlier = load_model(self._earlier.model, self._before)
        model = build_model(
            self._run.config,
            self._catalogue,
            earlier.max_length,
            earlier.widths,
            event_fields(session_files(self._run.sessions("train"))),
            earlier.event_widths,
        )
        take_over(model, earlier, self.row_of)
        return model

    def write_sessions(self, folder: Path, share: float, seed: int) -> Drawn:
        """Write the training sessions that the earlier run was not trained on, and a share of the others.

        A session with a known id but other items, because it has gone on, counts as new, unless it only lacks
        items that are no longer in the catalogue.

        Args:
            folder: the folder to write; replaced if it exists.
            share: share of the old sessions to draw.
            seed: seed of the draw.

        Raises:
            NothingToDoError: there is no new session.
        """
        known = trained_sessions(self._earlier, self.row_of)
        own = session_files(self._run.sessions("train"))
        is_old = {file: np.isin(identify_file(file), known) for file in own}
        new = sum(int((~old).sum()) for old in is_old.values())
        # Before anything is written, as nothing is to be left behind.
        if not new:
            raise NothingToDoError(
                f"{self._run.sessions('train')} holds no session that {self._earlier.model} was not "
                "trained on: there is nothing to go on with"
            )
        random, n_old = np.random.default_rng(seed), 0
        with atomic_directory(folder) as target:
            for file, old in is_old.items():
                taken = ~old | (random.random(len(old)) < share)
                n_old += int((old & taken).sum())
                with reading(file, "preprocess"):
                    pq.write_table(pq.read_table(file).filter(pa.array(taken)), target / file.name)
        return Drawn(new, n_old)


def continued(config: TrainingConfig, batches: int) -> TrainingConfig:
    """Return the settings of a continued training, with other epochs, learning rates and warm-up.

    Args:
        config: settings of the run.
        batches: number of batches per epoch.
    """
    change = config.continued
    return config.model_copy(
        update={
            "epochs": change.epochs,
            "learning_rate": config.learning_rate * change.learning_rates,
            "item_learning_rate": config.item_learning_rate * change.learning_rates,
            "warmup_steps": min(config.warmup_steps, int(change.epochs * batches * _WARM_UP)),
        }
    )


def require_same_model(run: Run, earlier: Run) -> None:
    """Check that a run is configured to train the same model as an earlier one.

    Raises:
        ArtifactError: settings of attributes or model differ; the message names each.
    """
    then, now = (
        {part: made_of(each.config).get(part) for part in ("attributes", "event_attributes", "model")}
        for each in (earlier, run)
    )
    if unlike := [f"{name}: {old} there, {new} here" for name, old, new in differences(then, now)]:
        raise ArtifactError(
            f"the model in {earlier.model} is another one than configured ({'; '.join(unlike)}): configure "
            "the same, or train anew without --from"
        )


def identity_of(earlier: Run) -> dict[str, Any]:
    """Identify the weights that a continued training starts from.

    Only by their digest: the rest of the manifest, such as the seconds that training took, must not influence
    which sessions are drawn.
    """
    return {"weights": earlier.step("train").manifest()["sha256"][WEIGHTS]}

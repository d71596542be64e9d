"""Go on from an earlier run: which sessions are trained on, from which weights."""

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
from m2trec_merlin.runs import Run
from m2trec_merlin.runs.settings import differences, made_of
from m2trec_merlin.sessions import event_fields, identify_file, session_files

#: Share of the steps, at most, in which the learning rate still rises.
_WARM_UP = 0.2


@dataclass(frozen=True)
class Drawn:
    """How many sessions are trained on: new to the model, and of those that the earlier run knew."""

    new: int
    old: int


class Continuation:
    """A run that goes on from an earlier one.

    Args:
        run: preprocessed, starting from the earlier one.
        earlier: trained.
        catalogue: of the run.

    Raises:
        ArtifactError: the run was not preprocessed to start from that one, or its model is another one; the
            message names each setting. Or items are to be measured that no training saw.
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
        #: int64 [rows of the earlier catalogue], rows of the same items now.
        self.row_of = self._before.rows_in(catalogue)

    def build(self) -> M2TRec:
        """Return the model of the run with what the earlier model learned.

        Raises:
            ArtifactError: the earlier model is damaged, or was trained on another catalogue than its run has.
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

        A session of the same id that has other items now, because it has gone on, counts as new; one that
        only lacks items that are no longer there does not.

        Args:
            folder: to write; replaced.
            share: of the others, drawn by the seed.
            seed: of the draw.

        Raises:
            NothingToDoError: there is no such session.
        """
        files = session_files(self._earlier.sessions("train"))
        trained = [identify_file(file, self.row_of) for file in files]
        known = np.unique(np.concatenate([np.empty(0, np.uint64), *trained]))
        random = np.random.default_rng(seed)
        new = old = 0
        with atomic_directory(folder) as target:
            for file in session_files(self._run.sessions("train")):
                is_old = np.isin(identify_file(file), known)
                taken = ~is_old | (random.random(len(is_old)) < share)
                new, old = new + int((~is_old).sum()), old + int((is_old & taken).sum())
                with reading(file, "preprocess"):
                    pq.write_table(pq.read_table(file).filter(pa.array(taken)), target / file.name)
            if not new:
                raise NothingToDoError(
                    f"{self._run.sessions('train')} holds no session that {self._earlier.model} was not "
                    "trained on: there is nothing to go on with"
                )
        return Drawn(new, old)


def continued(config: TrainingConfig, batches: int) -> TrainingConfig:
    """Return the settings of a training that goes on: epochs, learning rates and their warm-up.

    Args:
        config: of the run.
        batches: of an epoch.
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
        ArtifactError: names each setting of attributes and model that is another one.
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
    """Return what a training that goes on depends on beside the run: the weights that it starts from.

    Of the weights alone: how many seconds their training took stands beside them, and must not decide on
    which sessions are drawn.
    """
    return {"weights": earlier.step("train").manifest()["sha256"][WEIGHTS]}

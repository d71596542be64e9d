"""The verb `train` on a tiny run: whose checkpoints are taken up, and which stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from m2trec_merlin.artifacts import MANIFEST, read_json
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config, ModelConfig, TrainingConfig
from m2trec_merlin.config.evaluation import EvaluationConfig
from m2trec_merlin.data import prepare_data
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.evaluation.metrics import hit_and_mrr
from m2trec_merlin.evaluation.ranking import evaluate, prefixes_of
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.model.storage import load_model
from m2trec_merlin.preprocessing.run import preprocess
from m2trec_merlin.runs import Run
from m2trec_merlin.sessions import Sessions
from m2trec_merlin.training import run as run_module
from m2trec_merlin.training.checkpoint import TrainingState
from m2trec_merlin.training.run import train
from m2trec_merlin.training.trainer import Trainer
from tests.told import Told
from tests.worlds.events import events_config
from tests.worlds.raw_run import preprocessed

MODEL = ModelConfig.model_validate(
    {"width": 16, "session": {"layers": 1, "heads": 2, "feedforward": 32}, "next_item": {"negatives": 8}}
)


class KillAtEpoch(Told):
    """Ends the process, so to say, when an epoch is told, before its checkpoint is written."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.last = f"epoch {epoch:>2}"

    def say(self, line: str) -> None:
        super().say(line)
        if line.startswith(self.last):
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return preprocessed(tmp_path_factory.mktemp("run"))


def settings(prepared: Config, variant: str, **training: Any) -> Config:
    """The tiny run, with a folder of models of its own for each test."""
    given = {
        "epochs": 3,
        "batch_size": 2,
        "warmup_steps": 0,
        "precision": "float32",
        "threads": 1,
        **training,
    }
    parts = {"model": MODEL, "training": TrainingConfig.model_validate(given), "variant": variant}
    return prepared.model_copy(update=parts)


def checkpoints(config: Config) -> dict[str, list[str]]:
    """Of each training the checkpoints that are there."""
    folder = Run(config).checkpoints("any").parent
    return {each.name: sorted(c.name for c in each.glob("step-*")) for each in folder.iterdir()}


def test_going_back_to_earlier_settings_gives_their_weights(prepared: Config) -> None:
    first, second = settings(prepared, "back"), settings(prepared, "back", learning_rate=1e-6)
    weights = [(train(config) / "model.safetensors").read_bytes() for config in (first, second, first)]
    assert weights[0] == weights[2] != weights[1]


def test_a_finished_training_leaves_its_own_checkpoints_alone(prepared: Config) -> None:
    first, second = settings(prepared, "alone"), settings(prepared, "alone", max_steps=1)
    manifest = read_json(train(first) / "manifest.json")
    assert checkpoints(first) == {manifest["training"]: ["step-00000002", "step-00000003"]}
    manifest = read_json(train(second) / "manifest.json")
    assert checkpoints(second) == {manifest["training"]: ["step-00000001"]}
    assert manifest["sha256"].keys() == {"model.safetensors", "model.json", "history.json"}


def test_a_killed_training_goes_on_whatever_was_trained_meanwhile(prepared: Config) -> None:
    killed, other = settings(prepared, "killed"), settings(prepared, "killed", learning_rate=1e-6)
    undisturbed = (train(settings(prepared, "undisturbed")) / "model.safetensors").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        train(killed, progress=KillAtEpoch(3))
    train(other)
    told = Told()
    folder = train(killed, progress=told)
    assert "resuming after step 2 (epoch 3)" in told.lines
    assert (folder / "model.safetensors").read_bytes() == undisturbed


def test_a_restarted_training_forgets_the_checkpoints_of_the_first_try(prepared: Config) -> None:
    config = settings(prepared, "restarted")
    with pytest.raises(KeyboardInterrupt):
        train(config, progress=KillAtEpoch(3))
    again = KillAtEpoch(2)
    with pytest.raises(KeyboardInterrupt):
        train(config, resume=False, progress=again)
    assert not any(line.startswith("resuming") for line in again.lines)
    told = Told()
    train(config, progress=told)
    assert "resuming after step 1 (epoch 2)" in told.lines


def test_steps_and_epochs_are_told(prepared: Config) -> None:
    told = Told()
    folder = train(settings(prepared, "told"), progress=told)
    assert [line[:8] for line in told.lines[3:6]] == ["epoch  1", "epoch  2", "epoch  3"]
    assert [done for done, _, _ in told.tasks["training"]] == [0, 1, 2, 3, 3]
    assert all(note.startswith("loss ") for _, _, note in told.tasks["training"])
    again = Told()
    train(settings(prepared, "told"), progress=again)
    assert again.lines == [f"{folder} is up to date"]


def test_a_training_that_stops_early_is_over(prepared: Config) -> None:
    told = Told()
    train(settings(prepared, "early", epochs=20, patience=1, learning_rate=1e-9), progress=told)
    done, total, _ = told.tasks["training"][-1]
    assert done == total < 20
    assert told.lines[-1].startswith("validation was best in epoch 1 of 20, whose weights are kept")


@pytest.mark.parametrize("other", [{"schedule": "constant"}, {"max_steps": 2}])
def test_no_earlier_end_is_advised_where_the_learning_rate_would_not_come_down_by_it(
    prepared: Config, other: dict[str, object]
) -> None:
    told = Told()
    name = "-".join(other)
    train(settings(prepared, name, epochs=20, patience=1, learning_rate=1e-9, **other), progress=told)
    assert "validation was best" not in told.text


def test_validation_is_what_evaluation_measures_and_another_training_where_it_is_another(
    tmp_path: Path,
) -> None:
    shop = events_config(tmp_path)
    prepare_data(shop)
    preprocess(shop)

    def measured(**protocol: Any) -> tuple[float, float]:
        evaluation = EvaluationConfig(ks=[20], baselines=[], **protocol)
        config, told = shop.model_copy(update={"evaluation": evaluation}), Told()
        run = Run(config)
        manifest = read_json(train(config, progress=told) / MANIFEST, "train")
        assert not any("is up to date" in line for line in told.lines)
        best = read_json(run.history, "train")[manifest["best_epoch"] - 1]
        catalogue = Catalogue.load(run.catalogue)
        validation = prefixes_of(Sessions.load(run.sessions("valid")), evaluation)
        found = evaluate(ModelScorer(load_model(run.model, catalogue)), validation, catalogue, evaluation)
        assert (best["HIT@20"], best["MRR@20"]) == pytest.approx(hit_and_mrr(found, 20))
        return hit_and_mrr(found, 20)

    as_always = measured()
    assert measured(exclude_session_items=True) != as_always
    assert measured(prefixes="last") != as_always


def test_late_sessions_are_drawn_more_often_where_it_is_known_which_are_late(
    prepared: Config, tmp_path: Path
) -> None:
    """The tiny run has neither times nor a column that names the splits; the shop has times."""
    with pytest.raises(ArtifactError, match=r"training\.recency: 5 .* which are late is not known"):
        train(settings(prepared, "recent", recency=5))
    shop = events_config(tmp_path)
    prepare_data(shop)
    preprocess(shop)
    recent = shop.training.model_copy(update={"recency": 5.0})
    evenly, lately = (
        (train(shop.model_copy(update={"training": each})) / "model.safetensors").read_bytes()
        for each in (shop.training, recent)
    )
    assert evenly != lately


def test_which_sessions_are_late_is_not_read_from_altered_data(tmp_path: Path) -> None:
    shop = events_config(tmp_path)
    prepare_data(shop)
    preprocess(shop)
    (part,) = (Run(shop).data / "interactions" / "train").iterdir()
    pq.write_table(pq.read_table(part)[:-1], part)
    recent = shop.training.model_copy(update={"recency": 5.0})
    with pytest.raises(ArtifactError, match=r"part-00000\.parquet is altered: run `m2trec data"):
        train(shop.model_copy(update={"training": recent}))


def test_data_of_other_settings_are_refused(prepared: Config) -> None:
    longer = prepared.data.model_copy(update={"max_session_length": 7})
    config = settings(prepared, "refused").model_copy(update={"data": longer})
    with pytest.raises(ArtifactError, match=r"\(data.max_session_length\): run `m2trec preprocess`"):
        train(config)


def test_preprocessing_comes_first(prepared: Config, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="run `m2trec preprocess` first"):
        train(prepared.model_copy(update={"work_dir": tmp_path}))


def test_memory_is_bounded_as_configured(prepared: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of the loss are smaller, and so are chunks of sessions: each part file is one."""
    seen: dict[str, object] = {}

    class Watched(Trainer):
        def train(self, seed: int, resume: bool = True) -> TrainingState:
            seen["chunks"] = len(self.loader._chunks)
            seen["logits"] = self.model.next_item_task.logits_at_a_time
            return super().train(seed, resume)

    monkeypatch.setattr(run_module, "Trainer", Watched)
    config = settings(prepared, "small", epochs=1, logits_mib=1, sessions_at_a_time=1)
    told = Told()
    train(config, progress=told)
    parts = len(list(Run(config).sessions("train").glob("*.parquet")))
    assert seen == {"chunks": parts, "logits": (1 << 20) // 4}
    assert not any("CUDA graphs" in line for line in told.lines)
    train(settings(prepared, "graphs", epochs=1, cuda_graphs=True), progress=told)
    assert "steps are no CUDA graphs: training is not on a GPU" in told.lines

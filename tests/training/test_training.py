import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config, EvaluationConfig
from m2trec_merlin.errors import ArtifactError, M2TRecError
from m2trec_merlin.evaluation.ranking import evaluate
from m2trec_merlin.model.m2trec import M2TRec, build_model
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.sessions import Prefixes, Sessions
from m2trec_merlin.training.checkpoint import Checkpoints, TrainingState
from m2trec_merlin.training.loader import SessionLoader
from m2trec_merlin.training.schedule import learning_rate
from m2trec_merlin.training.trainer import _LOSSES_AT_ONCE, Trainer
from m2trec_merlin.training.transformers4rec_trainer import build_transformers4rec_trainer
from tests.told import Told
from tests.worlds.encoded import tiny_catalogue, tiny_config, tiny_sessions, write_sessions


class Recorder:
    """Remembers losses; can kill the training after some steps."""

    def __init__(self, kill_after: int | None = None) -> None:
        self.losses: list[float] = []
        self.kill_after = kill_after

    def start(self, total_steps: int, state: TrainingState) -> None:
        self.total_steps, self.first_step = total_steps, state.step

    def step(self, state: TrainingState, loss: float) -> None:
        self.losses.append(loss)
        if len(self.losses) == self.kill_after:
            raise KeyboardInterrupt

    def epoch(self, state: TrainingState) -> None:
        pass

    def close(self) -> None:
        pass


def trainer(
    tmp_path: Path, config: Config, monitor: Recorder, validation: Prefixes | None = None
) -> tuple[Trainer, M2TRec, Catalogue]:
    catalogue = tiny_catalogue()
    torch.manual_seed(config.seed)
    model = build_model(config, catalogue)
    train = write_sessions(tmp_path / "train", tiny_sessions(), files=2)
    loader = SessionLoader(train, config.training.batch_size, config.seed)
    held_out = tiny_sessions(seed=2).prefixes() if validation is None else validation
    checkpoints = Checkpoints(tmp_path / "checkpoints", "same")
    return (
        Trainer(
            model,
            catalogue,
            loader,
            held_out,
            config.training,
            checkpoints,
            monitor,
            evaluation=config.evaluation,
        ),
        model,
        catalogue,
    )


class TestTrainer:
    @pytest.mark.parametrize("precision", ["float32", "bfloat16"])
    def test_loss_falls_and_validation_improves(self, tmp_path: Path, precision: str) -> None:
        training = {"epochs": 8, "learning_rate": 0.01, "patience": 8, "precision": precision}
        config = tiny_config(training=training)
        recorder = Recorder()
        tested, _, _ = trainer(tmp_path, config, recorder)
        progress = tested.train(seed=1)
        assert progress.step == recorder.total_steps == 40
        assert sum(recorder.losses[-5:]) < 0.7 * sum(recorder.losses[:5])
        assert progress.best_value == max(r["HIT@20"] for r in progress.history)

    def test_validation_ranks_no_more_at_a_time_than_the_evaluation(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        blocks: list[int] = []

        class Watched(ModelScorer):
            def score_tensor(self, prefixes: Prefixes) -> torch.Tensor:
                blocks.append(len(prefixes))
                return super().score_tensor(prefixes)

        monkeypatch.setattr("m2trec_merlin.training.trainer.ModelScorer", Watched)
        config = tiny_config(training={"epochs": 1}, evaluation={"block_prefixes": 3})
        tested, _, _ = trainer(tmp_path, config, Recorder())
        tested.train(seed=1)
        assert max(blocks) == 3 and sum(blocks) == len(tested.validation)

    @pytest.mark.parametrize("killed_after", [3, 7])
    def test_a_killed_training_resumes_with_the_same_losses(self, tmp_path: Path, killed_after: int) -> None:
        config = tiny_config(training={"epochs": 3, "checkpoint_steps": 1})
        whole = Recorder()
        tested, expected, _ = trainer(tmp_path / "whole", config, whole)
        tested.train(seed=1)

        killed, resumed = Recorder(kill_after=killed_after), Recorder()
        tested, _, _ = trainer(tmp_path / "killed", config, killed)
        with pytest.raises(KeyboardInterrupt):
            tested.train(seed=1)
        tested, model, _ = trainer(tmp_path / "killed", config, resumed)
        torch.manual_seed(99)  # whatever happened before must not matter
        tested.train(seed=5)

        done = resumed.first_step
        assert done == killed_after - 1, "the step that was killed had not been saved yet"
        assert whole.losses[:done] + resumed.losses == whole.losses
        for name, tensor in expected.state_dict().items():
            assert torch.equal(tensor, model.state_dict()[name]), name

    def test_losses_that_are_read_some_at_a_time_change_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As on a GPU, which is asked for the losses of several steps at once."""
        config = tiny_config(training={"epochs": 3, "checkpoint_steps": 4, "max_steps": 13})
        found = []
        for name, at_once in (("each", 1), ("some", 3)):
            monkeypatch.setitem(_LOSSES_AT_ONCE, "cpu", at_once)
            recorder = Recorder()
            tested, model, _ = trainer(tmp_path / name, config, recorder)
            state = tested.train(seed=1)
            records = [{k: v for k, v in r.items() if "seconds" not in k} for r in state.history]
            saved = sorted(path.name for path in (tmp_path / name / "checkpoints").glob("step-*"))
            found.append((recorder.losses, state.step, records, saved, model.state_dict()))
        (*one, weights), (*other, others) = found
        assert one == other and len(one[0]) == 13
        assert all(torch.equal(weights[name], others[name]) for name in weights)

    def test_a_loss_that_is_no_number_is_found_later_and_named_rightly(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(_LOSSES_AT_ONCE, "cpu", 100)
        tested, model, _ = trainer(tmp_path, tiny_config(), Recorder())
        with torch.no_grad():
            model.session_encoder.project.weight.fill_(float("nan"))
        with pytest.raises(M2TRecError, match="loss became nan at step 0"):
            tested.train(seed=1)

    def test_stops_when_validation_stops_improving(self, tmp_path: Path) -> None:
        nothing_to_learn = Sessions.from_lists([[1, 30]]).prefixes()
        config = tiny_config(training={"epochs": 20, "patience": 2, "learning_rate": 1e-6})
        tested, _, _ = trainer(tmp_path, config, Recorder(), nothing_to_learn)
        progress = tested.train(seed=1)
        assert progress.epoch == progress.best_epoch + 2

    def test_leaves_the_model_with_the_weights_of_its_best_epoch(self, tmp_path: Path) -> None:
        """A learning rate that ruins the model later on: what is kept must be what scored best."""
        config = tiny_config(training={"epochs": 6, "learning_rate": 1.0, "patience": 6, "warmup_steps": 0})
        tested, model, catalogue = trainer(tmp_path, config, Recorder())
        progress = tested.train(seed=1)
        assert progress.best_epoch < progress.epoch
        outcome = evaluate(
            ModelScorer(model), tested.validation, catalogue, EvaluationConfig(ks=[20], baselines=[])
        )
        assert outcome.items is not None
        assert (outcome.items.target <= 20).mean() == progress.best_value

    def test_of_epochs_with_one_hit_rate_the_one_that_ranks_best_is_kept(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of 20 items, HIT@20 is 1 whatever the model has learnt."""
        measured = iter([[1.0, 0.2], [1.0, 0.4], [1.0, 0.3], [1.0, 0.4], [0.9, 0.8]])
        monkeypatch.setattr(Trainer, "_measure", lambda self: next(measured))
        tested, _, _ = trainer(tmp_path, tiny_config(training={"epochs": 5, "patience": 5}), Recorder())
        progress = tested.train(seed=1)
        assert (progress.epoch, progress.best_epoch, progress.best_value) == (5, 2, 1.0)

    def test_what_was_best_of_a_try_that_was_killed_is_not_taken_for_best(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On several threads an epoch that is done again may come out otherwise."""
        weights: list[torch.Tensor] = []
        config = tiny_config(training={"epochs": 2})
        for measured in ([[0.5, 0.2], [0.9, 0.4]], [[0.4, 0.2]]):
            values = iter(measured)
            monkeypatch.setattr(Trainer, "_measure", lambda self, values=values: next(values))
            recorder = Recorder()
            tested, model, _ = trainer(tmp_path, config, recorder)

            def epoch(state: TrainingState, model: M2TRec = model) -> None:
                weights.append(next(model.parameters()).detach().clone())
                if state.best_value == 0.9:
                    raise KeyboardInterrupt

            monkeypatch.setattr(recorder, "epoch", epoch)
            with suppress(KeyboardInterrupt):
                progress = tested.train(seed=1)
        assert (progress.epoch, progress.best_epoch) == (2, 1)
        assert torch.equal(next(model.parameters()), weights[0]) and not torch.equal(weights[0], weights[1])
        assert [path.name for path in tmp_path.rglob("best*")] == ["best-0001.safetensors"]

    def test_the_checkpoint_before_the_newest_still_has_its_best_weights(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The newest one is damaged, and the epoch after the other one comes out worse the second time."""
        config = tiny_config(training={"epochs": 2})
        for measured in ([[0.5, 0.2], [0.9, 0.4]], [[0.4, 0.2]]):
            values = iter(measured)
            monkeypatch.setattr(Trainer, "_measure", lambda self, values=values: next(values))
            tested, model, _ = trainer(tmp_path, config, Recorder())
            progress = tested.train(seed=1)
            best = torch.clone(next(model.parameters()))
            if len(measured) == 2:
                assert progress.best_epoch == 2
                first, newest = sorted((tmp_path / "checkpoints").glob("step-*"))
                (newest / "tensors.safetensors").write_bytes(b"")
                of_first = load_file(first / "tensors.safetensors")
        name = next(name for name, _ in model.named_parameters())
        assert progress.best_epoch == 1 and torch.equal(best, of_first[f"model.{name}"])

    def test_stops_after_max_steps(self, tmp_path: Path) -> None:
        recorder = Recorder()
        tested, _, _ = trainer(tmp_path, tiny_config(training={"max_steps": 7}), recorder)
        assert tested.train(seed=1).step == len(recorder.losses) == recorder.total_steps == 7

    def test_other_inputs_do_not_resume(self, tmp_path: Path) -> None:
        tested, _, _ = trainer(tmp_path, tiny_config(), Recorder())
        tested.train(seed=1)
        assert tested.checkpoints.find() is not None
        assert replace(tested.checkpoints, inputs="other").find() is None

    @pytest.mark.parametrize(
        ("damaged", "how"),
        [
            ("tensors.safetensors", lambda content: content[:-40]),
            (
                "tensors.safetensors",
                lambda content: content[:-40] + bytes([content[-40] ^ 1]) + content[-39:],
            ),
            ("state.json", lambda content: content[:-40]),
        ],
        ids=["tensors cut off", "a bit of a tensor", "state cut off"],
    )
    def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
        self, tmp_path: Path, damaged: str, how: Callable[[bytes], bytes]
    ) -> None:
        """As a power cut or a failing disk may leave one."""
        tested, _, _ = trainer(tmp_path, tiny_config(training={"checkpoint_steps": 2}), Recorder())
        tested.train(seed=1)
        before, newest = sorted((tmp_path / "checkpoints").glob("step-*"))
        told = Told()
        for path in (newest, before):
            assert tested.checkpoints.find(told) == path
            file = path / damaged
            file.write_bytes(how(file.read_bytes()))
        assert told.lines == [f"{newest} cannot be read: going on from {before.name}, before it"]
        with pytest.raises(ArtifactError, match=r"step-.* cannot be read, .*run `m2trec train --restart`"):
            tested.checkpoints.find()

    @pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"x" + path.read_bytes())])
    def test_best_weights_that_are_gone_or_altered_are_not_taken_for_the_best(
        self, tmp_path: Path, damage: Callable[[Path], object]
    ) -> None:
        tested, _, _ = trainer(tmp_path, tiny_config(), Recorder())
        tested.train(seed=1)
        assert tested.checkpoints.find() is not None
        for path in (tmp_path / "checkpoints").glob("best-*"):
            damage(path)
        with pytest.raises(
            ArtifactError, match=r"best-\d+\.safetensors cannot be read, .*run `m2trec train --restart`"
        ):
            tested.checkpoints.find()

    def test_checkpoints_are_no_pickles_and_only_the_last_ones_stay(self, tmp_path: Path) -> None:
        config = tiny_config(training={"checkpoint_steps": 2})
        tested, _, _ = trainer(tmp_path, config, Recorder())
        tested.train(seed=1)
        files = [p for p in (tmp_path / "checkpoints").rglob("*") if p.is_file()]
        assert {p.suffix for p in files} == {".safetensors", ".json"}
        assert len(list((tmp_path / "checkpoints").glob("step-*"))) == 2
        state = json.loads(next((tmp_path / "checkpoints").glob("step-*/state.json")).read_text())
        assert state["inputs"] == "same"

    def test_a_loss_that_is_no_number_stops_with_advice(self, tmp_path: Path) -> None:
        tested, model, _ = trainer(tmp_path, tiny_config(), Recorder())
        with torch.no_grad():
            model.session_encoder.project.weight.fill_(float("nan"))
        with pytest.raises(M2TRecError, match=r"loss became nan at step 0: lower training\.learning_rate"):
            tested.train(seed=1)


def test_learning_rate_warms_up_and_falls() -> None:
    config = tiny_config(training={"warmup_steps": 4, "learning_rate": 1.0}).training
    rates = [learning_rate(step, 24, config) for step in range(24)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[14] == pytest.approx(0.5)
    assert learning_rate(24, 24, config) == pytest.approx(0)


def test_the_warm_up_takes_half_of_few_steps() -> None:
    config = tiny_config(training={"warmup_steps": 100, "learning_rate": 1.0}).training
    rates = [learning_rate(step, 8, config) for step in range(8)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0] and rates[6] == pytest.approx(0.5)
    assert [learning_rate(0, 1, config), learning_rate(99, 200, config)] == [1.0, 1.0]
    assert learning_rate(49, 200, config) == 0.5


@pytest.mark.slow
def test_transformers4rec_s_own_trainer_trains_the_same_model(tmp_path: Path) -> None:
    config = tiny_config(training={"epochs": 8, "learning_rate": 0.01, "warmup_steps": 100})
    torch.manual_seed(0)
    catalogue = tiny_catalogue()
    model = build_model(config, catalogue)
    train = write_sessions(tmp_path / "train", tiny_sessions())
    validation = write_sessions(tmp_path / "valid", tiny_sessions(seed=2))
    tested = build_transformers4rec_trainer(
        model, catalogue, config.training, train, validation, tmp_path / "out", 1
    )
    assert model.item_encoder.popularity is not None
    assert model.item_encoder.popularity.get_buffer("category__weights").any(), "fitted, as by ours"
    before = tested.evaluate()["eval_/loss"]
    tested.train()
    assert (tested.state.global_step, tested.args.warmup_steps) == (40, 20)
    assert tested.evaluate()["eval_/loss"] < 0.9 * before

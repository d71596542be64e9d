"""Steps of training on the CPU or on a pretended GPU, and what the last one of them asked and brought."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import torch
from torch import Tensor

from m2trec_merlin.config import Config
from m2trec_merlin.model.m2trec import build_model, fit_before_training
from m2trec_merlin.model.session_batch import SessionBatch
from m2trec_merlin.sessions import Sessions
from m2trec_merlin.training.captured_steps import TrainStep
from m2trec_merlin.training.loader import SessionLoader
from m2trec_merlin.training.optimizer import build_optimizer, clip_gradients
from tests.worlds.asking_the_device import AskingTheDevice
from tests.worlds.encoded import tiny_catalogue, tiny_config
from tests.worlds.pretended_gpu import PretendedGpu, on_gpu


class Steps:
    """Trains a tiny model for some steps.

    Args:
        config: of the model.
        folder: of sessions.
        pretends: whether there is a GPU.
        count: of steps; what the last one asks and brings is kept.
        wrapped: makes of a step what does the steps.

    Attributes:
        model: trained.
        losses: of the steps.
        asking: the last step.
        brought: what it brought to the GPU.
    """

    def __init__(
        self,
        config: Config,
        folder: Path,
        pretends: bool,
        count: int = 2,
        wrapped: Callable[[TrainStep], TrainStep] = lambda step: step,
    ) -> None:
        torch.manual_seed(0)
        catalogue = tiny_catalogue()
        self.model = build_model(config, catalogue)
        fit_before_training(self.model, catalogue, lambda: Sessions.load(folder))
        self.losses: list[float] = []
        self.asking = AskingTheDevice()
        self._pretends = pretends
        loader = SessionLoader(folder, 8, seed=1, device="cuda" if pretends else "cpu")
        with ExitStack() as stack:
            self._gpu = PretendedGpu()
            if pretends:
                stack.enter_context(self._gpu)
                self._gpu.bring(self.model)
            self._optimizer = build_optimizer(self.model, config.training)
            do = wrapped(self._step)
            batches = (batch for epoch in range(count) for batch in loader.batches(epoch))
            # The device is given the order of an epoch once, and waited for once in it.
            for number, batch in zip(range(count), batches, strict=False):
                self._gpu.brought.clear()
                torch.manual_seed(number)
                with self.asking if number == count - 1 else AskingTheDevice():
                    loss = do(batch)
                self.losses.append(loss.as_subclass(Tensor).detach().numpy().item())
            self.brought = list(self._gpu.brought)

    def _step(self, batch: SessionBatch) -> Tensor:
        loss: Tensor = self.model(batch, training=True)["loss"]
        assert on_gpu(loss) == self._pretends
        self._optimizer.zero_grad()
        loss.backward()
        parameters = list(self.model.parameters())
        if self._pretends:
            self._gpu.bring(*(p.grad for p in parameters if p.grad is not None))
        clip_gradients(parameters, 1.0)
        self._optimizer.step()
        return loss.detach()


def without_chance(mode: str, loss: str) -> Config:
    """Return the configuration of a model of which nothing is dropped."""
    return tiny_config(
        next_item={"loss": loss, "residual_dropout": 0.0},
        session={"dropout": 0.0, "mode": mode},
        model={"attribute_dropout": 0.0},
    )

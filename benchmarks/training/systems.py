"""The systems to compare, and their settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.frame import parse
from m2trec_merlin.config import Config

#: The system that ratios refer to.
OURS = "m2trec causal"

#: Epochs of systems whose learning rate does not depend on their number: more than any budget allows.
_ENDLESS = 1000


@dataclass(frozen=True)
class System:
    """A system that can be trained.

    Attributes:
        name: name in tables, and for `--systems`.
        runner: name of the module that trains it.
        environment: name of its virtual environment; None for the current one.
        settings: function from the configuration to the settings of the runner.
        note: note below the table on differences from the library's defaults.
    """

    name: str
    runner: str
    environment: str | None
    settings: Callable[[Config], dict[str, Any]]
    note: str

    @property
    def sources(self) -> list[str]:
        """Paths of its code besides the runner, from the top of the repository; changes require a new run."""
        if self.environment:
            return [f"benchmarks/environments/requirements-{self.environment}.txt"]
        return ["m2trec_merlin" if self.runner == "run_m2trec" else "m2trec_merlin/merlin_adapter.py"]

    @property
    def slug(self) -> str:
        """The name of the system as the name of a folder."""
        return "".join(c if c.isalnum() else "_" for c in self.name.lower())


def _ours(mode: str) -> Callable[[Config], dict[str, Any]]:
    def settings(config: Config) -> dict[str, Any]:
        content = config.model_dump(mode="json", exclude={"evaluation", "serving"})
        content["work_dir"] = str(config.directory.resolve())
        content["model"]["session"]["mode"] = mode
        return {"config": content}

    return settings


def _shape(config: Config) -> dict[str, Any]:
    session = config.model.session
    return {
        "width": config.model.width,
        "layers": session.layers,
        "heads": session.heads,
        "epochs": _ENDLESS,
    }


def _transformers4rec(**settings: Any) -> Callable[[Config], dict[str, Any]]:
    common = {"batch_size": 256, "learning_rate": 1e-3, "schedule": "constant"}
    return lambda config: {**_shape(config), **common, **settings}


SYSTEMS = [
    System(
        OURS,
        "run_m2trec",
        None,
        _ours("causal"),
        "the configuration, one pass for all prefixes",
    ),
    System(
        "m2trec bidirectional",
        "run_m2trec",
        None,
        _ours("bidirectional"),
        "the configuration, every prefix an example of its own, as in the paper",
    ),
    System(
        "Transformers4Rec, full softmax",
        "run_transformers4rec",
        None,
        _transformers4rec(sampled_softmax=False),
        "XLNet, causal, tied weights, batch 256; learning rate 1e-3, constant, as the other libraries have "
        "it (the default of 5e-5 is HuggingFace's, for fine-tuning)",
    ),
    System(
        "Transformers4Rec, sampled softmax",
        "run_transformers4rec",
        None,
        _transformers4rec(sampled_softmax=True, max_n_samples=4096),
        "the same with its sampled softmax, 4,096 samples",
    ),
    System(
        "RecTools eSASRec",
        "run_rectools",
        "rectools",
        lambda config: {**_shape(config), "batch_size": 128, "negatives": 64, "learning_rate": 3e-2},
        "its SASRec with LiGR layers and a sampled softmax; learning rate 3e-2, 64 items drawn for each "
        "target, batch 128; the best on validation after 45 s of 1e-3 to 3e-2, 64 and 256, 32 and 128, where "
        "1e-2 ends higher",
    ),
    System(
        "RePlay SasRec",
        "run_replay",
        "replay",
        lambda config: {
            **_shape(config),
            "batch_size": 128,
            "negatives": 4096,
            "dropout": 0.2,
            "bucket": 32,
            "learning_rate": 3e-3,
        },
        "its sampled cross-entropy with 4,096 items drawn for each batch of 128, sessions of like length "
        "encoded together, dropout 0.2; learning rate 3e-3, the best on validation of 1e-3, 3e-3 and 1e-2",
    ),
    System(
        "RecBole GRU4Rec",
        "run_recbole",
        "recbole",
        lambda config: {
            **_shape(config),
            "model": "GRU4Rec",
            "batch_size": 512,
            "negatives": 4096,
            "learning_rate": 1e-2,
        },
        "one layer, as it comes; our sampled loss with 4,096 items, as its own ranks all; learning rate 1e-2 "
        "and batches of 512 prefixes, the best on validation of 3e-3, 1e-2 and 3e-2, and of 128 and 512",
    ),
]


def choose(names: Sequence[str] | None) -> list[System]:
    """Return the systems whose names contain one of `names`, ignoring case; all systems if no names.

    Raises:
        ConfigError: a name matches no system.
    """
    return parse.choose(SYSTEMS, names, lambda system: system.name, str.__contains__, "system")

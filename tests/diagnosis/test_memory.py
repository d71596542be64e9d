from __future__ import annotations

from pathlib import Path

import pytest

from m2trec_merlin.config import Config
from m2trec_merlin.diagnosis import memory
from m2trec_merlin.diagnosis.findings import State
from m2trec_merlin.diagnosis.memory import (
    IMPORTED,
    WORKERS,
    available_memory,
    check_memory,
    serving_need,
    training_need,
)
from m2trec_merlin.runs import Run
from tests.worlds.raw_run import make_config, preprocessed

MEBIBYTE = 1 << 20


def machine(root: Path, free_mib: int, group: dict[str, str] | None = None) -> Path:
    """The parts of /proc and /sys that tell of memory."""
    (root / "proc").mkdir()
    (root / "proc/meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable:  {free_mib * 1024} kB\n")
    for name, text in (group or {}).items():
        (root / "sys/fs/cgroup").mkdir(parents=True, exist_ok=True)
        (root / "sys/fs/cgroup" / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("group", "mebibytes"),
    [
        (None, 1000),
        ({"memory.max": "max\n"}, 1000),
        # 500 of which 300 are used, 100 of these by files that may go.
        (
            {
                "memory.max": f"{500 * MEBIBYTE}\n",
                "memory.current": f"{300 * MEBIBYTE}\n",
                "memory.stat": f"anon 1\ninactive_file {100 * MEBIBYTE}\n",
            },
            300,
        ),
        (
            {"memory.max": f"{MEBIBYTE}", "memory.current": f"{2 * MEBIBYTE}", "memory.stat": "anon 1"},
            0,
        ),
    ],
)
def test_a_container_may_have_less_than_its_machine(
    group: dict[str, str] | None, mebibytes: int, tmp_path: Path
) -> None:
    assert available_memory(machine(tmp_path, 1000, group)) == mebibytes * MEBIBYTE


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return preprocessed(tmp_path_factory.mktemp("run"))


def test_what_training_holds(config: Config) -> None:
    from m2trec_merlin.catalogue import Catalogue
    from m2trec_merlin.model.m2trec import build_model

    run = Run(config)
    model = build_model(config, Catalogue.load(run.catalogue), 2)
    held = sum(tensor.nbytes for tensor in model.buffers())
    scores = config.evaluation.block_prefixes * 6
    vectors = 6 * (model.item_encoder.width + config.model.width)
    need = training_need(run)
    assert need == IMPORTED + 16 * model.count_parameters() + held + 4 * (scores + vectors)


def test_what_serving_holds(tmp_path: Path) -> None:
    for model, bytes_ in (("m2trec_preprocess", 10), ("m2trec_predict", 200), ("m2trec", 3000)):
        (tmp_path / model / "1" / "inner").mkdir(parents=True)
        (tmp_path / model / "1" / "inner" / "file").write_bytes(b"x" * bytes_)
    assert serving_need(tmp_path) == WORKERS + 210


@pytest.mark.parametrize(
    ("free", "state"),
    [(1 << 20, State.BLOCKED), (2 * IMPORTED, State.LIMITED), (1 << 40, State.READY)],
)
def test_too_little_memory_names_the_verb(
    free: int, state: State, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: free)
    found = check_memory(config)
    assert found.state is state
    assert "for `m2trec train`" in found.found and "serve" not in found.found
    assert found.cost.startswith("`m2trec train` will be killed") == (state is State.BLOCKED)
    assert found.cost.startswith("`m2trec train` may be killed") == (state is State.LIMITED)


def test_before_there_is_a_catalogue(tmp_path: Path) -> None:
    found = check_memory(make_config(tmp_path))
    assert found.state is State.READY and "after `m2trec preprocess`" in found.found

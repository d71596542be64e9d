"""Check of memory: how much is free, and how much a run needs at least for its catalogue.

The needs are lower bounds: they only count what is known to be in memory at the same time.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from m2trec_merlin.config import Config
from m2trec_merlin.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.diagnosis.findings import Finding, State, ready
from m2trec_merlin.diagnosis.machine import size, size_of
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.runs import Run

#: Bytes of a process that has imported torch and Transformers4Rec, before it does anything.
IMPORTED = 540 << 20
#: Bytes of Triton and its two workers with their imports, without a catalogue.
WORKERS = 180 << 20
#: Bytes per parameter in training: itself, its gradient, and two averages of the optimiser, float32 each.
_BYTES_A_PARAMETER = 16
_FLOAT32 = 4
#: Peak memory of a training as a multiple of its lower bound, rounded up; the measurement is in docs/runs.md.
PEAK = 3
_REMEDY = "free memory, or a smaller model.width, training.batch_size or evaluation.block_prefixes"


def check_memory(config: Config | None) -> Finding:
    """Check that training and serving the catalogue of a run fit into the free memory."""
    free = available_memory()
    if config is None:
        return ready(f"{size(free)} free; name a configuration to hold it against its catalogue")
    needs = _needs(Run(config))
    if not needs:
        return ready(f"{size(free)} free; after `m2trec preprocess` it can be held against the catalogue")
    found = f"{size(free)} free; at least " + ", ".join(
        f"{size(need)} for `m2trec {verb}`" for verb, need in needs.items()
    )
    for factor, state, outcome in (
        (1, State.BLOCKED, "will be killed, or will swap"),
        (
            PEAK,
            State.LIMITED,
            f"may be killed, or swap: nearly {PEAK} times the least was measured",
        ),
    ):
        if too_much := [f"`m2trec {verb}`" for verb, need in needs.items() if need * factor > free]:
            return Finding(state, found, f"{' and '.join(too_much)} {outcome}", _REMEDY)
    return ready(found)


def available_memory(system: Path = Path("/")) -> int:
    """Return the bytes of memory that are free: those of the machine, or fewer if the container has a limit.

    Args:
        system: root of the file system whose /proc and /sys are read.
    """
    lines = (system / "proc/meminfo").read_text().splitlines()
    [kibibytes] = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    limits = [int(kibibytes) << 10]
    group = system / "sys/fs/cgroup"
    limit = group / "memory.max"
    if limit.is_file() and (text := limit.read_text().strip()) != "max":
        used = int((group / "memory.current").read_text())
        statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        # Cached pages of files, which the kernel frees when memory is needed, count as free.
        limits.append(int(text) - used + int(statistics.get("inactive_file", 0)))
    return max(0, min(limits))


def training_need(run: Run) -> int:
    """Return the bytes that training needs at least: parameters, catalogue, vectors, scores.

    Raises:
        ArtifactError: `preprocess` has not run, or has run with other attributes.
    """
    import torch

    from m2trec_merlin.catalogue import Catalogue
    from m2trec_merlin.evaluation.ranking import block_size
    from m2trec_merlin.model.m2trec import build_model
    from m2trec_merlin.runs.settings import LONGEST_SESSION
    from m2trec_merlin.sessions import event_fields, session_files

    longest = run.step("preprocess").require()["sessions"]["train"][LONGEST_SESSION]
    catalogue = Catalogue.load(run.catalogue)
    events = event_fields(session_files(run.sessions("train")))
    with torch.device("meta"):
        model = build_model(run.config, catalogue, longest, events=events)
    rows = catalogue.n_rows
    scores = rows * block_size(run.config.evaluation, catalogue)
    vectors = rows * (model.item_encoder.width + model.session_encoder.width)
    return (
        IMPORTED
        + _BYTES_A_PARAMETER * model.count_parameters()
        + sum(buffer.nbytes for buffer in model.buffers())
        + _FLOAT32 * (scores + vectors)
    )


def serving_need(repository: Path) -> int:
    """Return the bytes that Triton needs at least: its imports, and the files that its workers read."""
    return WORKERS + sum(size_of(version_folder(repository, model)) for model in (PREPROCESS, PREDICT))


def _needs(run: Run) -> dict[str, int]:
    needs = {}
    with suppress(ArtifactError):
        needs["train"] = training_need(run)
    if run.triton.is_dir():
        needs["serve"] = serving_need(run.triton)
    return needs

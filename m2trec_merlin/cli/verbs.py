"""The implementations of the verbs: each calls one step of the pipeline and shows its result."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from m2trec_merlin.cli.progress import TerminalProgress
from m2trec_merlin.cli.terminal import console
from m2trec_merlin.config import Config, ServingConfig
from m2trec_merlin.runs import HeldOut, Run, RunFolder
from m2trec_merlin.runs.folder import REPORT_PAGE
from m2trec_merlin.runs.run import changed_since_export


def run_init(tables: list[Path], output: Path, force: bool = False) -> None:
    """Write a configuration for the tables; print what was found, what is uncertain and what to do next."""
    from m2trec_merlin.starting.run import start, tables_of

    with TerminalProgress() as progress:
        done = start(*tables_of(tables), output, force, progress)
        found = done.found
        for title, entries in (
            ("Looked at", found.looked_at()),
            ("Attributes", [f"{a.source_column}: {a.kind}" for a in done.config.attributes]),
            ("Unsure", found.doubts()),
            ("Left out", found.left_out()),
        ):
            if entries:
                progress.say("\n  - ".join([title, *entries]))
        progress.say(done.tried or "too many events to try the data step here: m2trec data will tell")
        progress.say(f"{output} is written: read it, then run\n  m2trec demo -c {shlex.quote(str(output))}")


def run_data(config: Config, force: bool = False) -> None:
    """Prepare the canonical tables."""
    from m2trec_merlin.data import prepare_data, summarise_data

    with TerminalProgress() as progress:
        folder = prepare_data(config, force=force, progress=progress)
        progress.say(summarise_data(folder))
        progress.say(f"report: {Run(config).data_report}")


@contextmanager
def _progress_after_data(config: Config) -> Iterator[TerminalProgress]:
    """Show the progress of a step on data/, and first what the tables of the configuration hold by now."""
    with TerminalProgress() as progress:
        for line in Run(config).step("data").changed_tables():
            progress.say(line)
        yield progress


def run_preprocess(
    config: Config, dask: str | None = None, force: bool = False, earlier: Path | None = None
) -> None:
    """Run both NVTabular workflows; with an earlier run, they extend its vocabularies."""
    from m2trec_merlin.preprocessing.run import preprocess

    with _progress_after_data(config) as progress:
        start = None if earlier is None else _trained(earlier, progress)
        preprocess(config, dask=dask, force=force, progress=progress, earlier=start)


def run_train(config: Config, resume: bool = True, force: bool = False, earlier: Path | None = None) -> None:
    """Train the model; with an earlier run, start from its weights, and preprocess first if needed."""
    from m2trec_merlin.preprocessing.run import preprocess
    from m2trec_merlin.training.continuing import require_same_model
    from m2trec_merlin.training.processes import are_several
    from m2trec_merlin.training.run import train

    with _progress_after_data(config) as progress:
        start = None if earlier is None else _trained(earlier, progress)
        if start is not None:
            require_same_model(Run(config), start)
            if not are_several():  # only one process could do it, and would lock the others out
                preprocess(config, progress=progress, earlier=start)
        folder = train(config, earlier=start, resume=resume, force=force, progress=progress)
        progress.say(f"model in {folder}; learning curves: tensorboard --logdir {Run(config).tensorboard}")


def _trained(path: Path, progress: TerminalProgress) -> Run:
    from m2trec_merlin.model.trained_run import config_of_run, run_as_trained

    return run_as_trained(config_of_run(path), progress)


def run_evaluate(config: Config, force: bool = False, split: HeldOut = "test") -> None:
    """Measure the model and the baselines on held-out sessions."""
    from m2trec_merlin.cli.tables import print_measurements
    from m2trec_merlin.evaluation.measurements import read_measurements
    from m2trec_merlin.evaluation.run import evaluate_model

    with _progress_after_data(config) as progress:
        folder = evaluate_model(config, split=split, force=force, progress=progress)
        print_measurements(read_measurements(folder), console)
        progress.say(f"report: {folder / REPORT_PAGE}")


def run_tune(config: Config, force: bool = False) -> None:
    """Choose the mixture to evaluate and export, and show the alternatives."""
    from m2trec_merlin.cli.tables import print_choice
    from m2trec_merlin.config.serving import TunedMixture
    from m2trec_merlin.evaluation.tuning.run import describe, tune
    from m2trec_merlin.model.trained_run import run_as_trained

    with _progress_after_data(config) as progress:
        if isinstance(config.serving.mixture, TunedMixture):
            # Reports settings that differ from those that the model was trained with.
            run_as_trained(config, progress)
        choice = tune(config, force=force, progress=progress)
        if choice is None:
            progress.say(f"serving.mixture is {config.serving.mixture.kind}: there is nothing to choose")
            return
        print_choice(choice, console)
        progress.say(f"evaluated and exported with {describe(choice.weights)}")


def run_export(config: Config, force: bool = False) -> None:
    """Write the Triton model repository."""
    from m2trec_merlin.serving.export.run import export

    with _progress_after_data(config) as progress:
        folder = export(config, force=force, progress=progress)
        progress.say(f"Triton model repository: {folder}")


def run_serve(config: Config | ServingConfig, folder: Path | None, beside: Path | None, share: float) -> None:
    """Serve until Ctrl-C.

    Args:
        config: the configuration, or only its `serving` section if a folder is given.
        folder: the folder of the run to serve; None for the configuration's run.
        beside: the folder of a second run to serve beside it, if any.
        share: the share of sessions that the second run answers.
    """
    from m2trec_merlin.contract.repository import find_repository
    from m2trec_merlin.serving.server.grpc_endpoint import GrpcEndpoint
    from m2trec_merlin.serving.server.instructions import Beside, Instructions
    from m2trec_merlin.serving.server.keeping import serve
    from m2trec_merlin.serving.server.ports import Ports
    from m2trec_merlin.serving.server.process import TritonServer

    serving = config if isinstance(config, ServingConfig) else config.serving
    door = GrpcEndpoint.of(serving)
    second = None if beside is None else Beside(find_repository(beside), share)
    instructions = Instructions(serving.log_json, serving.log, second)
    ports = Ports.of(serving)
    own = Run(config) if isinstance(config, Config) and folder is None else None
    repository = own.triton if own else find_repository(folder or Path())
    server = TritonServer(repository, ports, serving.start_timeout, door=door, instructions=instructions)
    with TerminalProgress() as progress:
        lines = own.not_in_effect() if own else []
        for named in (folder, beside):
            lines += changed_since_export(RunFolder.at(named)) if named is not None else []
        for line in (*lines, *door.remarks()):
            progress.say(line)
        if second is not None:
            progress.say(f"{second.repository} answers {share:.0%} of the sessions that have a key")
        serve(server, progress)

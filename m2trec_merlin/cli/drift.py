"""`m2trec drift`: tell whether new data have drifted from the training data, with an exit code."""

from __future__ import annotations

import json
from pathlib import Path

from m2trec_merlin.cli.progress import TerminalProgress
from m2trec_merlin.cli.terminal import console, errors, print_plain
from m2trec_merlin.cli.versions import NO, YES
from m2trec_merlin.config import load_config, parse_overrides
from m2trec_merlin.errors import ArtifactError, CommandLineError
from m2trec_merlin.runs import Run, RunFolder


def run_drift(
    data: Path, earlier: Path, settings: list[str], distance: float, share: float, as_json: bool
) -> int:
    """Compare new data with a run's training data, print what has drifted, and return the exit code.

    Args:
        data: the configuration of the new data, which are prepared if needed; or the folder of a run.
        earlier: the run to compare with.
        settings: settings of the configuration as KEY=VALUE.
        distance: the limit of distances between distributions.
        share: the limit by which shares may grow.
        as_json: whether to print JSON instead of sentences.
    """
    from m2trec_merlin.data import prepare_data
    from m2trec_merlin.drift.measures import Limits
    from m2trec_merlin.drift.result import in_words
    from m2trec_merlin.drift.run import find_drift, require_data
    from m2trec_merlin.model.trained_run import config_of_run, run_as_trained

    with TerminalProgress(errors if as_json else console) as progress:
        trained = run_as_trained(config_of_run(earlier), progress)
        require_data(trained)
        if data.is_file():
            config = load_config(data, parse_overrides(settings))
            run = Run(config)
            run.require_other_than(trained)
            prepare_data(config, progress=progress)
            new: RunFolder = run
        else:
            if settings:
                raise CommandLineError(f"--set: changes nothing, as {data} is no configuration: leave it out")
            new = RunFolder.at(data)
            if not new.data.is_dir():
                raise ArtifactError(
                    f"{data} is neither a configuration nor the folder of a run with data in it: name one of "
                    "them (`m2trec runs` lists the runs of a folder)"
                )
        found = find_drift(new, trained, Limits(distance, share), progress)
    if as_json:
        print_plain(json.dumps(found.as_dict(), indent=1))
    else:
        for each in found.found:
            print_plain(f"drift of {in_words(each)}")
        print_plain(f"{len(found.found)} of {len(found.differences)} comparisons show drift: {found.page}")
    return NO if found.found else YES

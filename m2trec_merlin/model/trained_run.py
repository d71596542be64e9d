"""Trained runs: the configuration a model was trained with, and checks that its data have not changed."""

from __future__ import annotations

import os
from pathlib import Path

from m2trec_merlin.config import M2TREC, Config, load_config
from m2trec_merlin.config.settings import VARIANTS_FOLDER
from m2trec_merlin.config.variants import kind_of
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.model.storage import DESCRIPTION, saved_config
from m2trec_merlin.progress import Progress
from m2trec_merlin.runs import Run, RunFolder, Verb
from m2trec_merlin.runs.current import CURRENT


def run_as_trained(config: Config, progress: Progress) -> Run:
    """Return a run with the configuration that its model was trained with; check that its data are the same.

    Args:
        config: configuration of the run; see `Run.as_trained` for the settings that count.
        progress: receives a line for each difference from the settings of the training.

    Raises:
        ArtifactError: `preprocess` or `train` has not run, they ran with settings that do not fit each other,
            `preprocess` ran again since, with another result, or their files were altered.
    """
    run = Run(config)
    needed: tuple[Verb, ...] = ("preprocess", "train")
    for verb in needed:
        run.step(verb).manifest()
    run, differences = run.as_trained(saved_config(run.model))
    for line in differences:
        progress.say(line)
    run.step("preprocess").require()
    trained = run.step("train")
    if problem := trained.older_than():
        raise ArtifactError(problem)
    trained.require_unaltered()
    return run


def config_of_run(path: Path) -> Config:
    """Return the configuration of a run, from its file or from the model in its folder.

    Args:
        path: folder of a run, a link to it, or its configuration file.

    Raises:
        ArtifactError: the path does not exist, or the folder holds no trained model.
        ConfigError: the file is not a configuration.
    """
    if path.is_file():
        return load_config(path)
    folder = path.resolve()
    if path.name == CURRENT and not os.path.lexists(path):
        raise ArtifactError(
            f"there is no {path} yet: it is a link, at first to any trained and exported run beside it: "
            f"`ln -s NAME_OF_THE_RUN {path}`"
        )
    if path.is_symlink() and not path.exists():
        raise ArtifactError(
            f"{path} is a link to {path.readlink()}, which is not there: lead it to a trained run, "
            f"`ln -sfn NAME_OF_THE_RUN {path}`"
        )
    run = RunFolder.at(folder)
    if not (run.model / DESCRIPTION).is_file():
        raise ArtifactError(
            f"{path} holds no trained model: name the folder of a trained run (`m2trec runs` lists them), "
            "a link to it, or its configuration file"
        )
    saved = saved_config(run.model)
    # The folder may have been renamed or copied since training.
    if kind_of(run.variant) != kind_of(saved.variant):
        own = f"{VARIANTS_FOLDER}/{kind_of(saved.variant)}"
        places = f"{own}, or {own}-NAME, in that of its run" if saved.variant != M2TREC else "that of a run"
        raise ArtifactError(f"{path} holds a model of the variant {saved.variant}: its folder is {places}")
    return saved.model_copy(update={"work_dir": run.directory, "variant": run.variant})

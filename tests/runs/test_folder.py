from __future__ import annotations

import re
from pathlib import Path

from m2trec_merlin.runs import Run, RunFolder
from tests.worlds.encoded import tiny_config

PACKAGE = Path(__file__).parents[2] / "m2trec_merlin"
#: Names of folders and files that `RunFolder` gives paths to.
NAMES = (
    "data|preprocessed|catalogue|items_workflow|sessions|model|checkpoints|tensorboard|mixture|evaluation|"
    "drift|triton"
)


def paths(run: RunFolder) -> dict[str, Path]:
    names = [name for name, value in vars(RunFolder).items() if isinstance(value, property)]
    split = {f"sessions {split}": run.sessions(split) for split in ("train", "valid", "test")}
    found = {name: value for name in names if isinstance(value := getattr(run, name), Path)}
    return {**found, **split, "checkpoints": run.checkpoints("abc")}


def test_every_path_is_below_the_folder_of_the_run() -> None:
    found = {
        name: str(path.relative_to("run"))
        for name, path in paths(RunFolder(Path("run"), Path("run"))).items()
    }
    assert found == {
        "data": "data",
        "items": "data/items.parquet",
        "cold_items": "data/cold_items.parquet",
        "data_report": "data/report.html",
        "preprocessed": "preprocessed",
        "catalogue": "preprocessed/catalogue",
        "items_workflow": "preprocessed/items_workflow",
        "events_workflow": "preprocessed/sessions/workflow",
        "sessions train": "preprocessed/sessions/train",
        "sessions valid": "preprocessed/sessions/valid",
        "sessions test": "preprocessed/sessions/test",
        "model": "model",
        "checkpoints": "model/checkpoints/abc",
        "history": "model/history.json",
        "mixture": "mixture",
        "tensorboard": "model/tensorboard",
        "evaluation": "evaluation",
        "report": "evaluation/report.html",
        "drift": "drift",
        "triton": "triton",
    }


def test_a_path_is_told_once() -> None:
    """Whoever wants one asks the run: no module puts the name of a folder behind a path by itself."""
    literal = re.compile(rf'/ "({NAMES})"')
    found = [
        f"{path.relative_to(PACKAGE)}: {line.strip()}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] != "runs"
        for line in path.read_text(encoding="utf-8").splitlines()
        if literal.search(line)
    ]
    assert not found


def test_variants_share_the_data_but_no_model(tmp_path: Path) -> None:
    config = tiny_config(work_dir=tmp_path)
    ours, other = paths(Run(config)), paths(Run(config.with_variant("metrec")))
    shared = {name for name in ours if ours[name] == other[name]}
    assert shared == {
        *("data", "items", "cold_items", "data_report", "preprocessed", "catalogue", "items_workflow"),
        "events_workflow",
        "drift",
        *("sessions train", "sessions valid", "sessions test"),
    }
    assert other["model"] == tmp_path / "variants" / "metrec" / "model"


def test_a_variant_is_known_by_where_it_stands(tmp_path: Path) -> None:
    other = tmp_path / "run" / "variants" / "metrec"
    other.mkdir(parents=True)
    run, variant = RunFolder.at(tmp_path / "run"), RunFolder.at(other)
    assert (run.directory, run.is_variant, run.variants()) == (tmp_path / "run", False, [variant])
    assert (variant.directory, variant.is_variant, variant.variants()) == (tmp_path / "run", True, [])
    (other / "data").mkdir()
    assert not RunFolder.at(other).is_variant, (
        "what has data of its own is a run, whatever its folder is called"
    )

from __future__ import annotations

from pathlib import Path

import pytest

from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.runs import Run, RunFolder
from m2trec_merlin.runs.run import changed_since_export
from tests.runs.folders import configure, do


def test_the_model_s_own_configuration_decides_on_the_model(done: Path) -> None:
    saved, today = configure(done), configure(done, "model.width", 64)
    run, lines = Run(today).as_trained(saved)
    assert run.config == saved
    assert run.directory == done
    assert lines == [
        f"{done}/model: model.width: trained with 128, configured is 64: the trained one is used; "
        "run `m2trec train` to change it"
    ]


def test_today_s_configuration_decides_on_measuring_and_serving(done: Path) -> None:
    today = configure(done, "evaluation.ks", [3])
    today = today.model_copy(update={"serving": today.serving.model_copy(update={"top_k": 7})})
    run, lines = Run(today).as_trained(configure(done))
    assert lines == []
    assert run.config.evaluation.ks == [3]
    assert run.config.serving.top_k == 7


_MODE = 'model.session.mode: trained with "causal", configured is "bidirectional"'


@pytest.mark.parametrize(
    ("change", "value", "line"),
    [
        ("seed", 7, "seed: trained with 42, configured is 7"),
        ("data.split.test_share", 0.4, "data.split.test_share: trained with 0.1, configured is 0.4"),
        ("attributes.title.dim", 8, "attributes.title.dim: trained with nothing, configured is 8"),
        (
            "model.next_item.loss",
            "full",
            'model.next_item.loss: trained with "sampled", configured is "full"',
        ),
        ("training.epochs", 3, "training.epochs: trained with 4, configured is 3"),
        ("training.threads", 3, None),
        ("data.chunk_sessions", 3, None),
    ],
)
def test_every_difference_is_said_in_the_words_of_the_file(
    done: Path, change: str, value: object, line: str | None
) -> None:
    _, lines = Run(configure(done, change, value)).as_trained(configure(done))
    told = [each.removeprefix(f"{done}/model: ").partition(": the trained one is used")[0] for each in lines]
    assert told == ([line] if line else [])


def test_attributes_that_came_or_went_are_named(done: Path) -> None:
    saved = configure(done)
    fewer = saved.model_copy(update={"attributes": saved.attributes[:1]})
    _, lines = Run(fewer).as_trained(saved)
    what = 'attributes.names: trained with ["title", "brand"], configured is ["title"]'
    assert lines[0].startswith(f"{done}/model: {what}")


def test_data_of_other_settings_than_the_model_s_are_refused(done: Path) -> None:
    saved, today = configure(done), configure(done, "data.max_session_length", 9)
    do(Run(today), "preprocess")
    with pytest.raises(
        ArtifactError,
        match=r"model was trained with other settings \(data.max_session_length\) than .*preprocessed "
        "was made with: run `m2trec train`",
    ):
        Run(today).as_trained(saved)


def test_settings_that_the_export_baked_in_are_not_in_effect(done: Path) -> None:
    assert Run(configure(done)).not_in_effect() == []
    assert Run(configure(done, "serving.grpc_port", 9001)).not_in_effect() == []
    assert Run(configure(done, "serving.top_k", 5)).not_in_effect() == [
        "serving.top_k: exported with 20, configured is 5: not in effect until `m2trec export`"
    ]
    assert Run(configure(done, "serving.title_column", "name")).not_in_effect() == [
        'serving.title_column: exported with nothing, configured is "name": not in effect until '
        "`m2trec export`"
    ]


def test_a_model_trained_since_the_export_is_not_in_effect(done: Path) -> None:
    run = Run(configure(done))
    do(run, "train", "again")
    assert run.not_in_effect() == [
        f"{run.triton} was made before {run.model} changed: not in effect until `m2trec export`"
    ]


def test_a_folder_alone_tells_what_changed_since_the_export(done: Path) -> None:
    run, folder = Run(configure(done)), RunFolder.at(done)
    assert changed_since_export(folder) == []
    do(run, "train", "again")
    assert changed_since_export(folder) == run.not_in_effect()
    assert changed_since_export(RunFolder.at(run.triton)) == [], "an export alone is what it is"
    (run.model / "manifest.json").write_text("{")
    assert changed_since_export(folder) == [], "its files are all that a server reads"


def test_an_export_without_its_manifest_is_served_as_it_is(done: Path) -> None:
    run = Run(configure(done, "serving.top_k", 5))
    (run.triton / "manifest.json").unlink()
    assert run.not_in_effect() == []

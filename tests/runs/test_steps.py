"""Which results are for which configuration, told by folders that hold nothing but a file and a manifest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from m2trec_merlin.config import Config
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.manifests import write_manifest
from m2trec_merlin.runs import VERBS, Run, Verb
from m2trec_merlin.runs.settings import LONGEST_SESSION, ONLY_COST
from tests.runs.folders import FACTS, configure, do


def stale(config: Config) -> list[Verb]:
    run = Run(config)
    return [verb for verb in VERBS if run.step(verb).problem()]


def current(config: Config) -> list[Verb]:
    """The steps that neither later ones nor their own verb would want made again."""
    run = Run(config)
    steps = [run.step(verb) for verb in VERBS if verb not in stale(config)]
    return [step.verb for step in steps if step.is_current(step.inputs(**FACTS.get(step.verb, {})))]


def test_what_was_just_made_is_current(done: Path) -> None:
    assert current(configure(done)) == list(VERBS)


def test_what_was_moved_or_has_another_clock_is_current(done: Path, tmp_path: Path) -> None:
    moved = done.rename(tmp_path.with_name("moved"))
    for path in moved.rglob("*"):
        os.utime(path, (2e9, 2e9))
    assert current(configure(moved)) == list(VERBS)


ALL, OF_THE_MODEL = list(VERBS), ["train", "tune", "evaluate", "export"]


@pytest.mark.parametrize(
    ("change", "value", "expected"),
    [
        ("data.split.test_share", 0.4, ALL),
        ("data.cold_item_share", 0.1, ALL),
        ("data.options", {"n_sessions": 9}, ALL),
        ("attributes.brand.column", "maker", ALL),
        ("serving.title_column", "name", ["data", "preprocess", *OF_THE_MODEL]),
        ("data.min_session_length", 3, ALL),
        ("data.max_session_length", 9, ["preprocess", *OF_THE_MODEL]),
        ("attributes.title.vocabulary_size", 99, ["preprocess", *OF_THE_MODEL]),
        ("attributes.title.dim", 8, OF_THE_MODEL),
        ("model.width", 64, OF_THE_MODEL),
        ("training.epochs", 99, OF_THE_MODEL),
        ("seed", 7, OF_THE_MODEL),
        ("evaluation.ks", [3], ["evaluate"]),
        ("evaluation.sparse_below", 3, ["tune", "evaluate", "export"]),
        ("name", "store", ["evaluate"]),
        ("serving.mixture", {"kind": "tuned", "loss": 0.1}, ["tune", "evaluate", "export"]),
        ("serving.top_k", 5, ["export"]),
        ("serving.new_item_boost", 1.5, ["evaluate", "export"]),
        ("serving.grpc_port", 9001, []),
        ("serving.start_timeout", 9.0, []),
    ],
)
def test_a_changed_setting_makes_these_steps_stale(
    done: Path, change: str, value: Any, expected: list[Verb]
) -> None:
    changed = configure(done, change, value)
    assert stale(changed) == expected
    if expected:
        with pytest.raises(
            ArtifactError, match=rf"other settings \(.*{change.split('.')[0]}.*\): run `m2trec"
        ):
            Run(changed).step(expected[0]).require()


#: Another value of each setting that changes only what a step costs.
COSTS: dict[str, Any] = {
    "data.chunk_sessions": 9,
    "preprocessing.device": "cpu",
    "training.checkpoint_steps": 9,
    "training.device": "cpu",
    "training.logits_mib": 9,
    "training.threads": 1,
    "evaluation.block_prefixes": 9,
    "evaluation.device": "cpu",
}


@pytest.mark.parametrize("name", sorted(ONLY_COST))
def test_what_a_step_costs_makes_nothing_stale(done: Path, name: str) -> None:
    changed = configure(done, name, COSTS[name])
    assert changed != configure(done)
    assert current(changed) == list(VERBS)


def test_a_length_that_the_data_chose_may_be_written_down(done: Path) -> None:
    left_open = Run(configure(done))
    step = left_open.step("preprocess")
    write_manifest(step.folder, step.verb, step.inputs(), sessions={"train": {LONGEST_SESSION: 17}})
    for length, as_chosen in ((None, True), (17, True), (16, False)):
        config = configure(done, "data.max_session_length", length)
        assert current(config) == (list(VERBS) if as_chosen else ["data"])
        assert bool(Run(config).as_trained(left_open.config)[1]) == (not as_chosen)
    # From other data, the result is of the length that is configured, and says so.
    named = configure(done, "data.max_session_length", 17)
    do(left_open, "data", "other rows")
    assert stale(named) == ["preprocess", *OF_THE_MODEL]
    do(Run(named), "preprocess")
    assert Run(named).step("preprocess").manifest()["settings"][LONGEST_SESSION] == 17
    assert stale(left_open.config)[0] == "preprocess", "nobody knows what these data would choose"


def test_costs_that_earlier_versions_recorded_do_not_count(done: Path) -> None:
    run = Run(configure(done))
    for verb, section, of_then in (
        ("train", "training", {"logits_mib": None}),
        ("evaluate", "evaluation", {"block_prefixes": 512}),
    ):
        step = run.step(verb)
        inputs = step.inputs(**FACTS.get(verb, {}))
        write_manifest(step.folder, verb, {**inputs, section: {**inputs[section], **of_then}})
    do(run, "tune")
    do(run, "export")
    changed = configure(done, "evaluation.block_prefixes", 9)
    assert current(changed) == list(VERBS)
    assert current(configure(done, "training.epochs", 9)) == ["data", "preprocess"]


@pytest.mark.parametrize(
    ("redone", "expected"),
    [
        ("data", ["preprocess", *OF_THE_MODEL]),
        ("preprocess", []),  # of the same data, with the same settings: the same result
        ("train", ["tune", "evaluate", "export"]),
        ("tune", ["evaluate", "export"]),
        ("evaluate", []),
        ("export", []),
    ],
)
def test_other_bytes_make_what_follows_stale(done: Path, redone: Verb, expected: list[Verb]) -> None:
    config = configure(done)
    do(Run(config), redone, "of another day")
    assert stale(config) == expected
    for verb in expected:
        step = Run(config).step(verb)
        if all(earlier.verb not in expected for earlier in step.before.values()):
            assert not step.is_current(step.inputs(**FACTS.get(verb, {})))
            with pytest.raises(ArtifactError, match=rf"was made before .* changed: run `m2trec {verb}`"):
                step.require()


def test_the_chain_is_current_again_when_it_was_done_again(done: Path) -> None:
    changed = configure(done, "data.split.test_share", 0.4)
    for number, verb in enumerate(VERBS):
        do(Run(changed), verb, "again")
        assert stale(changed) == list(VERBS[number + 1 :])


def test_what_items_are_shown_as_needs_no_training(done: Path) -> None:
    # But words of titles count beside the model.
    changed = configure(done, "serving.title_column", "name")
    do(Run(changed), "data")
    do(Run(changed), "preprocess")
    assert stale(changed) == ["tune", "evaluate", "export"]
    for number, verb in enumerate(("tune", "evaluate", "export")):
        do(Run(changed), verb)
        assert stale(changed) == ["evaluate", "export"][number:]


def test_every_step_is_named_that_is_missing(tmp_path: Path) -> None:
    run = Run(configure(tmp_path))
    for verb in VERBS:
        with pytest.raises(ArtifactError, match=f"is not there yet: run `m2trec {verb}` first"):
            run.step(verb).require()


def test_half_a_step_is_no_step(done: Path) -> None:
    run = Run(configure(done))
    write_manifest(run.preprocessed, "items", {"items only": run.step("preprocess").inputs()})
    with pytest.raises(ArtifactError, match="is not complete: run `m2trec preprocess`"):
        run.step("preprocess").require()


def test_what_was_copied_without_its_past_is_trusted(done: Path) -> None:
    run = Run(configure(done))
    (run.data / "manifest.json").unlink()
    run.step("preprocess").require()
    with pytest.raises(ArtifactError, match="run `m2trec data` first"):
        run.step("preprocess").inputs()


def test_a_manifest_does_not_differ_in_settings_that_are_younger(done: Path) -> None:
    run = Run(configure(done, "serving.title_column", "name"))
    for verb in ("data", "preprocess"):
        step = run.step(verb)
        inputs = {name: value for name, value in step.inputs().items() if name != "title_column"}
        write_manifest(step.folder, verb, inputs)
        step.require()

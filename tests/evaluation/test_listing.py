from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from m2trec_merlin.config import Config
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.evaluation.listing import different_settings, find_run, list_runs
from m2trec_merlin.evaluation.measurements import METRICS_FILE, OURS, SCORED, Measurement
from m2trec_merlin.manifests import write_manifest
from m2trec_merlin.runs import VERBS, Run, Verb
from tests.runs import folders
from tests.runs.folders import FACTS, do

#: A model that is served alone.
configure = partial(folders.configure, mixture="off")


def measurement(model: str, value: float, metric: str = "HIT", k: int = 20) -> Measurement:
    return Measurement(
        model, "shop", "test", "All", metric, k, value, value - 0.01, value + 0.02, 9, 1, 1.0, ""
    )


ROWS = [measurement("M2TRec", 0.25), measurement("M2TRec", 0.125, k=5), measurement("popularity", 0.5)]


def make(config: Config, rows: list[Measurement] = ROWS, scored: str = "0a") -> Config:
    """A run of which every step is done."""
    run = Run(config)
    for verb in VERBS:
        do(run, verb)
    (run.evaluation / METRICS_FILE).write_text(json.dumps([row.as_dict() for row in rows]))
    train = run.step("train")
    write_manifest(run.model, "train", train.inputs(**FACTS["train"]), best_hit_20=0.375, parameters=7)
    do(run, "evaluate")
    models = dict.fromkeys(row.model for row in rows)
    ours = [model for model in models if model not in ("popularity", "top-N frequent")]
    inputs = run.step("evaluate").inputs(**FACTS["evaluate"])
    write_manifest(run.evaluation, "evaluate", inputs, **{OURS: ours, SCORED: scored, "prefixes": 9})
    do(run, "export")
    return config


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    make(configure(tmp_path / "runs" / "a"))
    return tmp_path / "runs"


def test_a_whole_run(runs: Path) -> None:
    [run] = list_runs(runs)
    assert list(run.manifests) == list(VERBS)
    assert run.remarks == [] and not run.is_current and run.variant == "m2trec"
    assert run.validation_hit == 0.375 and run.ours == ["M2TRec"]
    hit, none = run.measured("HIT", 20), run.measured("HIT", 10)
    assert hit is not None and (hit.value, hit.low) == (0.25, 0.24) and none is None
    assert run.size == sum(path.stat().st_size for path in (runs / "a").rglob("*") if path.is_file())
    assert run.written == max(manifest["written"] for manifest in run.manifests.values())
    told = run.as_dict()
    json.dumps(told)
    assert told["exported"] is True and told["parameters"] == 7 and told["validation"] == {"HIT@20": 0.375}
    assert [(m["metric"], m["k"]) for m in told["test"]] == [("HIT", 20), ("HIT", 5)]
    assert told["settings"]["train"]["seed"] == 42


def test_a_mixture_is_what_is_served_and_measured(tmp_path: Path) -> None:
    rows = [measurement("M2TRec", 0.25), measurement("mixed", 0.75), measurement("popularity", 0.5)]
    rows += [measurement("M2TRec", 0.625, "HIT[colour]"), measurement("top-N frequent", 0.5, "HIT[colour]")]
    make(configure(tmp_path / "a", "serving.mixture", {"kind": "fixed"}), rows)
    [run] = list_runs(tmp_path)
    hit = run.measured("HIT", 20)
    assert run.ours == ["M2TRec", "mixed"] and hit is not None and hit.value == 0.75
    of_the_model = run.measured("HIT[colour]", 20)
    assert of_the_model is not None and of_the_model.value == 0.625
    assert run.measured("NDCG", 20) is None


def test_a_folder_may_be_a_run_itself_or_hold_none(runs: Path, tmp_path: Path) -> None:
    assert [run.folder.model_directory for run in list_runs(runs / "a")] == [runs / "a"]
    (tmp_path / "empty" / "other").mkdir(parents=True)
    assert list_runs(tmp_path / "empty") == []
    with pytest.raises(ArtifactError, match="nowhere is no folder"):
        list_runs(tmp_path / "nowhere")


def test_data_are_known_again(runs: Path) -> None:
    make(configure(runs / "b"))
    other = Run(make(configure(runs / "c")))
    do(other, "data", "other rows")
    a, b, c = list_runs(runs)
    assert a.data == b.data != c.data
    assert c.remarks == ["preprocessed/ was made before data changed"]


def test_measurements_of_an_earlier_version_are_told(runs: Path) -> None:
    path = runs / "a" / "evaluation" / "manifest.json"
    manifest = json.loads(path.read_text())
    assert manifest["settings"].pop("format")
    path.write_text(json.dumps(manifest))
    [run] = list_runs(runs)
    assert run.remarks == ["evaluation/ is of an earlier version: run `m2trec evaluate`"]


def test_what_is_broken_is_said_and_keeps_nothing_else_from_being_listed(runs: Path) -> None:
    for name in ("b", "c", "d"):
        make(configure(runs / name))
    (runs / "b" / "data" / "manifest.json").write_text("{")
    (runs / "c" / "model" / "manifest.json").unlink()
    (runs / "d" / "evaluation" / METRICS_FILE).write_text('[{"model": 1}]')
    (runs / "e" / "preprocessed").mkdir(parents=True)
    a, b, c, d, e = list_runs(runs)
    assert a.remarks == []
    assert "data" not in b.manifests and "train" in b.manifests and b.data is None
    assert any("manifest.json is damaged" in remark for remark in b.remarks)
    assert c.remarks == ["model/ is half made or being made: run `m2trec train`"]
    assert c.validation_hit is None and "export" in c.manifests
    assert d.measurements == [] and d.measured("HIT", 20) is None
    assert [METRICS_FILE in remark for remark in d.remarks] == [True]
    assert e.manifests == {} and e.written == "" and len(e.remarks) == 1
    for run in (a, b, c, d, e):
        json.dumps(run.as_dict())


def test_files_that_go_while_a_run_is_looked_at_are_passed_over(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As checkpoints of a training do."""
    run, *_ = list_runs(runs)
    folder = run.folder.model_directory / "model"
    (folder / "passing").write_bytes(b"12345")
    walk = os.walk

    def late(top: Path) -> Iterator[tuple[str, list[str], list[str]]]:
        for found in [*walk(top)]:
            (folder / "passing").unlink(missing_ok=True)
            yield found

    monkeypatch.setattr(os, "walk", late)
    again, *_ = list_runs(runs)
    assert again.size == run.size


def test_variants_share_data_and_have_the_rest_of_their_own(runs: Path) -> None:
    config = configure(runs / "a").model_copy(update={"variant": "trec_id"})
    for verb in ("train", "export"):
        do(Run(config), verb)
    base, variant = list_runs(runs)
    assert variant.folder.model_directory == runs / "a" / "variants" / "trec_id"
    assert variant.variant == "trec_id" and variant.data == base.data
    assert list(variant.manifests) == ["data", "preprocess", "train", "export"]
    own = variant.folder.model_directory
    assert variant.size == sum(path.stat().st_size for path in own.rglob("*") if path.is_file())
    assert base.size == sum(
        path.stat().st_size
        for path in (runs / "a").rglob("*")
        if path.is_file() and "variants" not in path.parts
    )
    assert list_runs(own)[0].manifests.keys() == variant.manifests.keys()
    assert find_run(own).data == base.data


def test_a_link_is_no_run_of_its_own_but_leads_to_one(runs: Path) -> None:
    (runs / "current").symlink_to("a")
    [run] = list_runs(runs)
    assert run.is_current
    assert find_run(runs / "current").folder.model_directory == (runs / "a").resolve()
    shutil.rmtree(runs / "a")
    assert list_runs(runs) == []
    for nothing in (runs / "current", runs):
        with pytest.raises(ArtifactError, match="is no run"):
            find_run(nothing)


def test_settings_that_differ(runs: Path) -> None:
    make(configure(runs / "b", "attributes.title.dim", 24))
    make(configure(runs / "c", "training.epochs", 9))
    a, b, c = (find_run(runs / name) for name in "abc")
    assert different_settings([a, a]) == {}
    found = different_settings([a, b, c])
    assert found["attributes.title.dim"] == [None, 24, None]
    assert found["training.epochs"] == [4, 4, 9]
    assert set(found) == {"attributes.title.dim", "training.epochs"}


def test_costs_that_an_earlier_version_recorded_are_no_difference(runs: Path) -> None:
    config = configure(runs / "b")
    make(config)
    run = Run(config)
    inputs = run.step("train").inputs(**FACTS["train"])
    then = {**inputs["training"], "logits_mib": 8}
    write_manifest(run.model, "train", {**inputs, "training": then})
    assert different_settings([find_run(runs / name) for name in "ab"]) == {}


def test_a_step_that_only_one_run_has_done_is_no_difference(tmp_path: Path) -> None:
    """One is tuned, the other exported alone, by another seed; what both steps name is held side by side."""
    one, two = (
        Run(configure(tmp_path / "one", mixture="tuned")),
        Run(configure(tmp_path / "two", "seed", 7, mixture="off")),
    )
    steps: tuple[Verb, ...] = ("data", "preprocess", "train")
    whole: list[tuple[Run, Verb]] = [(one, "tune"), (two, "export")]
    for run, last in whole:
        for verb in (*steps, last):
            do(run, verb)
    found = different_settings([find_run(tmp_path / name) for name in ("one", "two")])
    assert found["seed"] == [42, 7] and found["serving.mixture.kind"] == ["tuned", "off"]
    assert {name for name in found if not name.startswith("serving.mixture.")} == {"seed"}


def test_runs_of_one_configuration_do_not_differ_however_far_they_came(tmp_path: Path) -> None:
    """Each step tells attributes in its own way."""
    verbs: tuple[Verb, ...] = ("data", "preprocess", "train")
    for number in range(1, 4):
        run = Run(configure(tmp_path / str(number)))
        for verb in verbs[:number]:
            do(run, verb)
    one, two, three = (find_run(tmp_path / name) for name in "123")
    assert [different_settings(each) for each in ([one, two], [two, three], [one, three])] == [{}] * 3
    assert different_settings([three, one, two]) == {}
    other = Run(configure(tmp_path / "4", "attributes.title.dim", 24))
    for verb in verbs:
        do(other, verb)
    found = different_settings([one, three, find_run(tmp_path / "4")])
    assert found == {"attributes.title.dim": [None, None, 24]}


def test_results_by_which_a_step_was_made_are_no_settings(runs: Path) -> None:
    tuned = [make(configure(runs / name, "serving.mixture", {"kind": "tuned"})) for name in "bc"]
    other = Run(tuned[1])
    do(other, "tune", "another choice")
    write_manifest(other.mixture, "tune", {**other.step("tune").inputs(), "grid": "of another version"})
    do(other, "evaluate")
    b, c = (find_run(runs / name) for name in "bc")
    assert b.manifests["evaluate"]["settings"]["chosen"] != c.manifests["evaluate"]["settings"]["chosen"]
    assert different_settings([b, c]) == {}
    earlier = {"from": {"weights": "0a1b"}, "continued": {"epochs": 1}}
    write_manifest(other.model, "train", {**other.step("train").inputs(**FACTS["train"]), **earlier})
    assert different_settings([b, find_run(runs / "c")]) == {"training.continued": [None, {"epochs": 1}]}

"""What the verbs say when something changed since an earlier one ran."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from m2trec_merlin.artifacts import read_json
from m2trec_merlin.config import Config, load_config
from m2trec_merlin.config.serving import FixedMixture
from m2trec_merlin.evaluation.tuning.chosen import mixture_weights
from m2trec_merlin.manifests import write_manifest
from m2trec_merlin.neighbours.weights import Weights
from m2trec_merlin.runs import Run
from tests.cli.test_app import error_of, run
from tests.worlds.disks import small_disk
from tests.worlds.rewritten import as_if_written

SHOP = {
    "name": "shop",
    "data": {"source": "tables", "interactions": "interactions.csv", "items": "items.csv"},
    "attributes": [{"name": "title", "kind": "text"}, {"name": "category", "kind": "categorical"}],
    "model": {
        "width": 16,
        "session": {"layers": 1, "heads": 2, "feedforward": 32},
        "next_item": {"negatives": 8},
    },
    "training": {"epochs": 1, "batch_size": 8, "threads": 1},
    "evaluation": {"bootstrap_samples": 5, "baselines": ["popularity"]},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shop's tables, its configuration, and its run up to the evaluation."""
    folder = tmp_path_factory.mktemp("shops") / "[eu] shop"
    folder.mkdir()
    items = [f"{i},mug number {i},cups{i % 3}" for i in range(9)]
    (folder / "items.csv").write_text("item_id,title,category\n" + "\n".join(items) + "\n")
    clicks = [f"s{s},{item}" for s in range(60) for item in (s % 9, (s + 1) % 9, (s * s) % 9)]
    (folder / "interactions.csv").write_text("session_id,item_id\n" + "\n".join(clicks) + "\n")
    (folder / "shop.yaml").write_text(yaml.safe_dump({**SHOP, "work_dir": str(folder / "run")}))
    with pytest.MonkeyPatch.context() as monkeypatch:
        for verb in ("data", "preprocess", "train", "evaluate"):
            assert run(monkeypatch, verb, "-c", folder / "shop.yaml") == 0
    return folder


class Shop:
    """A copy of it, to be changed, and its command line."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self.monkeypatch, self.capsys = folder, monkeypatch, capsys
        self.file = folder / "shop.yaml"
        self.file.write_text(yaml.safe_dump({**SHOP, "work_dir": str(folder / "run")}))
        self.run = Run(load_config(self.file))

    def says(self, verb: str, *settings: str, status: int = 0) -> str:
        """What a verb prints."""
        options = [word for setting in settings for word in ("-s", setting)]
        assert run(self.monkeypatch, verb, "-c", self.file, *options) == status
        return "" if status else self.capsys.readouterr().out

    def command(self, verb: str, *settings: str) -> str:
        """A command that works on this shop."""
        options = [word for setting in settings for word in ("-s", setting)]
        return f"`{shlex.join(['m2trec', verb, '-c', str(self.file), *options])}`"

    def refuses(self, verb: str, *settings: str) -> str:
        """The message of a verb that refuses."""
        self.says(verb, *settings, status=1)
        return error_of(self.capsys)


@pytest.fixture
def shop(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shop:
    return Shop(shutil.copytree(trained, tmp_path / "[eu] shop"), monkeypatch, capsys)


LENGTH = "data.max_session_length=2"
SPLIT = "data.split={kind: hash, test_share: 0.4}"


@pytest.mark.parametrize("verb", ["preprocess", "train"])
def test_data_of_another_split_are_refused(shop: Shop, verb: str) -> None:
    message = shop.refuses(verb, SPLIT)
    assert (
        f"data was made with other settings (data.split.test_share): run {shop.command('data', SPLIT)}"
        in message
    )


def test_nothing_is_done_twice(shop: Shop) -> None:
    for verb in ("data", "preprocess", "train", "evaluate"):
        text = shop.says(verb)
        assert f"{shop.run.step(verb).folder} is up to date" in text
    assert "popularity" in text, "the tables of the evaluation are shown again"


def test_paths_are_printed_as_they_are(shop: Shop) -> None:
    folders = {"data": "data", "preprocess": "preprocessed", "train": "model", "evaluate": "evaluation"}
    for verb, folder in folders.items():
        assert f"{shop.run.directory}/{folder}" in shop.says(verb, "training.epochs=1")
    assert f"{shop.run.directory}/preprocessed in " in shop.says("preprocess", "data.max_session_length=7")


def test_evaluation_takes_the_model_as_it_was_trained_and_says_so(shop: Shop) -> None:
    text = shop.says("evaluate", "model.width=32", SPLIT)
    assert "data.split.test_share: trained with 0.1, configured is 0.4: the trained one is used" in text
    remedy = shop.command("train", "model.width=32", SPLIT)
    assert f"model.width: trained with 16, configured is 32: the trained one is used; run {remedy}" in text
    assert "is up to date" in text
    assert "model.width: trained with 16" in shop.says("tune", "model.width=32")
    text = shop.says("evaluate", "model.width=32", "evaluation.ks=[3]")
    assert "is up to date" not in text
    assert "K = 3" in text


def test_weights_that_were_trained_again_are_measured_again(shop: Shop) -> None:
    shop.says("train", "training.epochs=2")
    assert "M2TRec: " in shop.says("evaluate", "training.epochs=2")
    # As after a training with the same settings on other hardware.
    model = shop.run.model
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    manifest = read_json(model / "manifest.json")
    write_manifest(model, "train", manifest["settings"])
    assert "M2TRec: " in shop.says("evaluate", "training.epochs=2")


def test_what_a_step_lost_it_makes_again(shop: Shop) -> None:
    lost = {"data": "interactions/train/part-00000.parquet", "preprocess": "catalogue/items.parquet"}
    lost["train"] = "model.safetensors"
    for verb, name in lost.items():
        file = shop.run.step(verb).folder / name
        before = file.read_bytes()
        file.unlink()
        reader = {"data": "preprocess", "preprocess": "train", "train": "evaluate"}[verb]
        assert f"{file} is missing: run {shop.command(verb)[:-1]} --force`" in shop.refuses(reader)
        shop.says(verb)
        assert file.read_bytes() == before
        # A model that was trained again is measured again.
        assert ("is up to date" in shop.says(reader)) == (verb != "train")


@pytest.mark.parametrize("reader", ["evaluate", "export", "train"])
def test_altered_files_are_never_read(shop: Shop, reader: str) -> None:
    file = shop.run.catalogue / "items.parquet" if reader == "train" else shop.run.model / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert f"{file} is altered: run `m2trec" in shop.refuses(reader)


def test_other_tables_are_another_setting(shop: Shop) -> None:
    other = f"data.interactions={shop.folder / 'april.csv'}"
    for verb in ("preprocess", "train"):
        assert f"other settings (data.interactions): run {shop.command('data', other)}" in shop.refuses(
            verb, other
        )
    text = shop.says("evaluate", other)
    assert 'data.interactions: trained with "interactions.csv", configured is "april.csv"' in text
    moved = shop.folder / "elsewhere"
    moved.mkdir()
    for name in ("interactions.csv", "items.csv"):
        shutil.move(shop.folder / name, moved / name)
    there = [f"data.{table}={moved / table}.csv" for table in ("interactions", "items")]
    assert "is up to date" in shop.says("train", *there), "where tables lie does not change them"


def test_preprocessing_with_other_settings_asks_for_training(shop: Shop) -> None:
    shop.says("preprocess", LENGTH)
    for verb in ("evaluate", "export"):
        message = shop.refuses(verb, LENGTH)
        assert "trained with other settings (data.max_session_length) than" in message
        assert f"run {shop.command('train', LENGTH)}" in message
    shop.says("train", LENGTH)
    assert "M2TRec: " in shop.says("evaluate", LENGTH)


def test_data_that_were_read_again_ask_for_preprocessing(shop: Shop) -> None:
    clicks = shop.folder / "interactions.csv"
    clicks.write_text(clicks.read_text() + "late,1\nlate,2\n")
    shop.says("data")
    for verb in ("train", "evaluate"):
        message = shop.refuses(verb)
        assert (
            f"preprocessed was made before {shop.run.directory}/data changed: "
            f"run {shop.command('preprocess')}" in message
        )
    shop.says("preprocess")
    message = shop.refuses("evaluate")
    assert f"model was made before {shop.run.preprocessed} changed: run {shop.command('train')}" in message
    shop.says("train")
    assert "M2TRec: " in shop.says("evaluate")


@pytest.mark.parametrize("verb", ["data", "preprocess", "evaluate"])
def test_results_of_another_version_are_made_again(shop: Shop, verb: str) -> None:
    modules = {"data": "data.preparation", "preprocess": "preprocessing.run", "evaluate": "evaluation.run"}
    shop.monkeypatch.setattr(f"m2trec_merlin.{modules[verb]}.__version__", "another")
    assert "is up to date" not in shop.says(verb)
    assert f"{shop.run.step(verb).folder} is up to date" in shop.says(verb)


@pytest.mark.parametrize("verb", ["data", "preprocess", "train", "evaluate"])
def test_a_damaged_manifest_is_mended_by_its_verb(shop: Shop, verb: str) -> None:
    folder = shop.run.step(verb).folder
    (folder / "manifest.json").write_text("{")
    follower = {"data": "preprocess", "preprocess": "train", "train": "evaluate"}.get(verb)
    if follower is not None:
        message = shop.refuses(follower)
        assert f"{folder / 'manifest.json'} is damaged" in message and shop.command(verb)[:-1] in message
    assert "is up to date" not in shop.says(verb)


@pytest.mark.parametrize(
    ("verb", "change", "largest_file"),
    [
        ("data", "data.cold_item_share=0.2", 500),
        ("preprocess", LENGTH, 500),
        ("train", "seed=1", 40_000),  # below the weights, above the learning curves
        ("evaluate", "evaluation.ks=[3]", 500),
    ],
)
def test_a_full_disk_leaves_what_was_there(shop: Shop, verb: str, change: str, largest_file: int) -> None:
    step = shop.run.step(verb)
    with small_disk(largest_file):
        message = shop.refuses(verb, change)
    assert f"cannot write to {step.folder}" in message and "File too large" in message
    assert "is up to date" in shop.says(verb)
    assert not list(shop.run.directory.rglob("*.tmp")) + list(shop.run.directory.rglob(".new"))


@pytest.mark.parametrize("verb", ["data", "preprocess", "train", "evaluate", "export"])
def test_a_file_in_the_way_is_named(shop: Shop, verb: str) -> None:
    folder = shop.run.step(verb).folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("a note")
    assert f"cannot write to {folder}: {folder} is no folder" in shop.refuses(verb)
    assert folder.read_text() == "a note"


def test_serving_says_what_was_baked_into_the_export(shop: Shop) -> None:
    step = shop.run.step("export")
    step.folder.mkdir()
    write_manifest(step.folder, "export", step.inputs())
    shop.says("serve", "serving.top_k=5", status=1)
    captured = shop.capsys.readouterr()
    line = "serving.top_k: exported with 20, configured is 5: not in effect until "
    assert line + shop.command("export", "serving.top_k=5") in captured.out
    assert "Starting" not in captured.out
    assert "holds no Triton model" in captured.err


def test_warnings_of_the_configuration_are_printed_once(shop: Shop) -> None:
    shop.monkeypatch.setattr(Config, "warnings", lambda self: ["log [x] does nothing"])
    assert run(shop.monkeypatch, "data", "-c", shop.file) == 0
    assert shop.capsys.readouterr().err == "Warning: log [x] does nothing\n"


def test_the_mixture_is_chosen_where_it_was_not_and_only_then(shop: Shop) -> None:
    said = "too few to choose a mixture on: the default one is taken"
    assert mixture_weights(shop.run) == Weights(**FixedMixture().weights())
    assert said not in shop.says("tune") + shop.says("evaluate")
    shutil.rmtree(shop.run.mixture)
    told = shop.says("evaluate")
    assert said in told and "mixture chosen" not in told, "nothing was chosen"
    assert "M2TRec mixed: " in shop.says("evaluate", "serving.mixture={kind: fixed, by_id: 3}")
    alone = "serving.mixture.kind=off"
    assert "M2TRec mixed" not in shop.says("evaluate", alone)
    assert "there is nothing to choose" in shop.says("tune", alone)


def test_validation_sessions_are_evaluated_beside_test_sessions(shop: Shop) -> None:
    before = (shop.run.report.read_bytes(), shop.run.report.stat().st_mtime_ns)
    assert run(shop.monkeypatch, "evaluate", "-c", shop.file, "--split", "valid") == 0
    assert "evaluation_valid/report.html" in shop.capsys.readouterr().out
    assert read_json(shop.run.evaluation_of("valid") / "metrics.json")[0]["split"] == "valid"
    assert before == (shop.run.report.read_bytes(), shop.run.report.stat().st_mtime_ns)


def test_runs_of_before_mixtures_were_chosen_are_as_good_as_ever(shop: Shop) -> None:
    path = shop.run.model / "model.json"
    description = read_json(path)
    old = {"neighbours": True, "mixture": {"neighbours": 2.0, "content": 0.5, "by": "id", "rare": 1.0}}
    description["config"]["serving"] |= old
    path.write_text(json.dumps(description))
    as_if_written(shop.run.model)
    assert "M2TRec mixed: " in shop.says("evaluate", "evaluation.ks=[3]")


def test_a_new_day_is_trained_on_from_the_run_of_the_day_before(shop: Shop) -> None:
    items, clicks = shop.folder / "items.csv", shop.folder / "interactions.csv"
    items.write_text(items.read_text() + "9,plate number 9,plates\n")
    clicks.write_text(clicks.read_text() + "".join(f"t{s},{i}\n" for s in range(20) for i in (9, s % 9)))
    today = shop.folder / "today"
    there = ("-c", shop.file, "-s", f"work_dir={today}")
    assert run(shop.monkeypatch, "data", *there) == 0
    assert run(shop.monkeypatch, "train", *there, "--from", shop.folder / "run") == 0
    said = " ".join(shop.capsys.readouterr().out.split())
    manifest = read_json(today / "model" / "manifest.json")
    assert f"{manifest['new_sessions']} new sessions, {manifest['old_sessions']} known ones again" in said
    assert 0 < manifest["new_sessions"] <= 20
    assert run(shop.monkeypatch, "evaluate", *there) == 0
    assert run(shop.monkeypatch, "train", *there, "--from", shop.folder / "run", "-s", "model.width=32") == 1
    assert "model.width: 16 there, 32 here): configure the same" in error_of(shop.capsys)


def test_new_data_are_compared_with_what_was_trained_on(shop: Shop) -> None:
    clicks, items = shop.folder / "interactions.csv", shop.folder / "items.csv"
    first = clicks.read_text()
    there = ("--from", shop.folder / "run", "-s", f"work_dir={shop.folder / 'today'}")
    assert run(shop.monkeypatch, "drift", shop.folder / "run", "--from", shop.folder / "run") == 4
    assert "nothing is new" in error_of(shop.capsys)
    for place in ("nowhere", "empty"):
        (shop.folder / "empty").mkdir(exist_ok=True)
        assert run(shop.monkeypatch, "drift", shop.file, "--from", shop.folder / place) == 1
        said = error_of(shop.capsys)
        assert f"{place} holds no trained model: name the folder of a trained run" in said
        assert "m2trec train" not in said
        assert run(shop.monkeypatch, "drift", shop.folder / place, *there[:2]) == 1
        assert f"{place} is neither a configuration nor the folder of a run with" in error_of(shop.capsys)
    clicks.write_text(first + "".join(f"t{line}\n" for line in first.splitlines()[1:]))
    assert run(shop.monkeypatch, "drift", shop.file, *there[:2]) == 1, "new data would replace the old ones"
    assert "is the run itself, whose results would be replaced" in error_of(shop.capsys)
    assert run(shop.monkeypatch, "drift", shop.file, *there) == 0
    assert "0 of 10 comparisons show drift" in shop.capsys.readouterr().out
    items.write_text(items.read_text() + "9,plate number 9,plates\n")
    clicks.write_text(first + "".join(f"u{s},9\nu{s},9\n" for s in range(40)))
    assert run(shop.monkeypatch, "drift", shop.file, *there, "--json") == 3
    found = json.loads(shop.capsys.readouterr().out)
    values = {(each["what"], each["measure"]): each["new"] for each in found["differences"]}
    assert found["drift"] is True
    assert values["items", "not in the catalogue"] == values["category", "unseen values"] == 1
    page = (shop.folder / "today" / "drift" / "report.html").read_text()
    assert "not in the catalogue: 100 % of events, 0 % expected" in page
    assert run(shop.monkeypatch, "drift", shop.file, *there, "--distance", "1", "--share", "1") == 0
    (shop.folder / "run" / "data").rename(shop.folder / "gone")
    assert run(shop.monkeypatch, "drift", shop.file, *there) == 1
    assert "restore it; made anew, it would hold the data of today" in error_of(shop.capsys)

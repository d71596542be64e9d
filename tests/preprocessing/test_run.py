from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml

from m2trec_merlin.artifacts import read_json
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.errors import ArtifactError, ConfigError
from m2trec_merlin.preprocessing import run as preprocessing
from m2trec_merlin.preprocessing.cluster import open_cluster
from m2trec_merlin.preprocessing.device import gpus
from m2trec_merlin.preprocessing.run import preprocess, preprocess_items, preprocess_sessions
from m2trec_merlin.readers.canonical import SPLITS
from m2trec_merlin.sessions import Sessions
from tests.told import Told

REPOSITORY = Path(__file__).parents[2]
#: Files that say when or where they were made.
UNLIKE = {"manifest.json", "workflow.pkl", "metadata.json", "checksums.json"}


def contents(folder: Path) -> dict[str, bytes]:
    files = [p for p in folder.rglob("*") if p.is_file() and p.name not in UNLIKE]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def test_data_become_a_catalogue_and_sessions(tiny):
    told = Told()
    folder = preprocess(tiny, progress=told)
    assert folder == tiny.directory / "preprocessed"
    assert sorted(p.name for p in folder.iterdir()) == [
        "catalogue",
        "items_workflow",
        "manifest.json",
        "sessions",
    ]
    manifest = read_json(folder / "manifest.json")
    assert manifest["step"] == "preprocess"
    assert manifest["catalogue"]["items"] == 5
    assert manifest["catalogue"]["seen"] == 3
    assert manifest["catalogue"]["vocabularies"].keys() == {"title", "brand", "tags"}
    assert manifest["sessions"]["test"] == {"sessions": 2, "events": 5, "unknown_items_dropped": 0}
    assert manifest["seconds"].keys() == {"items", "sessions"}
    assert "catalogue: 5 items, 3 of them seen in training" in told.lines
    train = told.lines.index("sessions, train: 2 with 4 events")
    assert told.lines[train + 1] == (
        "  20 % of the events were cut: sessions keep their last 2 (data.max_session_length)"
    )
    assert told.text.count("were cut") == 1, "the sessions of the other splits stay whole"
    assert list(told.tasks) == ["vocabularies", "catalogue", *(f"sessions, {s}" for s in SPLITS)]
    assert all(looks[0][0] == 0 and looks[-1][0] == looks[-1][1] for looks in told.tasks.values())


def test_the_rows_of_sessions_are_rows_of_the_catalogue(tiny):
    folder = preprocess(tiny)
    catalogue = Catalogue.load(folder / "catalogue")
    train = Sessions.load(folder / "sessions" / "train")
    assert catalogue.item_ids[train.rows].tolist() == [11, 10, 12, 11]


def test_a_current_result_is_kept(tiny):
    folder = preprocess(tiny)
    written = (folder / "manifest.json").stat().st_mtime_ns
    told = Told()
    preprocess(tiny, progress=told)
    assert told.lines == [f"{folder} is up to date"]
    assert (folder / "manifest.json").stat().st_mtime_ns == written
    preprocess(tiny, force=True)
    assert (folder / "manifest.json").stat().st_mtime_ns != written


def test_changed_settings_and_data_are_noticed(tiny, write):
    folder = preprocess(tiny)
    before = read_json(folder / "manifest.json")["inputs"]
    longer = tiny.model_copy(
        update={"data": tiny.data.model_copy(update={"max_session_length": 3})}, deep=True
    )
    told = Told()
    preprocess(longer, progress=told)
    assert len(Sessions.load(folder / "sessions" / "train").rows) == 5
    assert "were cut" not in told.text
    write(tiny.directory, sessions={"test": {"c": [10, 14]}})
    preprocess(longer)
    assert len(Sessions.load(folder / "sessions" / "test").rows) == 4
    assert read_json(folder / "manifest.json")["inputs"] != before


def test_settings_of_the_model_do_not_ask_for_preprocessing(tiny):
    preprocess(tiny)
    wider = [a.model_copy(update={"dim": 8}) for a in tiny.attributes]
    told = Told()
    preprocess(tiny.model_copy(update={"attributes": wider}), progress=told)
    assert "is up to date" in told.text


def test_a_failure_leaves_the_earlier_result(tiny, monkeypatch):
    folder = preprocess(tiny)
    before = contents(folder)
    monkeypatch.setattr(preprocessing, "_build_sessions", lambda *a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        preprocess(tiny, force=True)
    assert contents(folder) == before
    assert sorted(p.name for p in tiny.directory.iterdir()) == ["data", "preprocessed"]


def test_data_must_come_first(tmp_path, configure):
    with pytest.raises(ArtifactError, match="run `m2trec data` first"):
        preprocess(configure(tmp_path))


@pytest.mark.parametrize("dask", ["local:0", "local", "localhost:8786"])
def test_an_unknown_cluster_is_refused(dask):
    with pytest.raises(ConfigError, match="accepted: local:N"), open_cluster(dask):
        pass


@pytest.mark.slow
def test_each_process_of_this_machine_has_a_gpu():
    with open_cluster("local:2", ["0", "GPU-5"]) as client:
        found = client.run(os.getenv, "CUDA_VISIBLE_DEVICES")
    assert sorted(found.values()) == ["0", "GPU-5"]


@pytest.mark.parametrize(("visible", "found"), [(None, ["0", "1", "2"]), ("2, GPU-5", ["2", "GPU-5"])])
def test_gpus_are_those_that_may_be_seen(monkeypatch, visible, found):
    runtime = SimpleNamespace(getDeviceCount=lambda: 3)
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(runtime=runtime)))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus() == found


@pytest.mark.slow
def test_dask_changes_nothing(tmp_path, write, configure, monkeypatch):
    """Two processes that share several parts of items and of sessions make the same bytes as one process."""
    monkeypatch.setattr("m2trec_merlin.attributes.base.Attribute.items_at_a_time", 16)
    items = pd.DataFrame({"item_id": range(40), "title": [f"thing {i % 7} of {i % 3}" for i in range(40)]})
    items["brand"] = [None if i % 5 == 0 else f"b{i % 4}" for i in range(40)]
    attributes = [{"name": "title", "kind": "text"}, {"name": "brand", "kind": "categorical"}]
    sessions = {s: {i: [i, i + 1, 39 - i] for i in range(20)} for s in ("train", "valid", "test")}
    results = []
    for name, dask in (("one", None), ("two", "local:2")):
        write(tmp_path / name, items, sessions, sessions_per_part=7)
        folder = preprocess(configure(tmp_path / name, attributes), dask)
        results.append(contents(folder))
    assert results[0].keys() == results[1].keys()
    assert sum(name.startswith("sessions/train") for name in results[0]) == 3
    assert results[0] == results[1]


def test_the_scripts_do_the_two_halves(tiny):
    whole = contents(preprocess(tiny))
    with pytest.raises(ArtifactError, match=r"preprocessed holds no catalogue made from"):
        preprocess_sessions(tiny.model_copy(update={"attributes": tiny.attributes[:1]}))
    preprocess_items(tiny)
    assert not (tiny.directory / "preprocessed" / "sessions").exists()
    preprocess_sessions(tiny)
    assert contents(tiny.directory / "preprocessed") == whole
    preprocess_sessions(tiny)
    assert read_json(tiny.directory / "preprocessed" / "manifest.json")["step"] == "preprocess"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the sources, not installed, with a version of its own."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("m2trec_merlin", "workflows"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "m2trec_merlin" / "version.py").write_text('__version__ = "0.0.0+checkout"\n')
    return folder


def run_script(checkout: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", ["items.py", "sessions.py"])
def test_scripts_explain_themselves(checkout, script):
    done = run_script(checkout, f"workflows/{script}", "--help")
    assert done.returncode == 0 and f"usage: {script}" in done.stdout and "--dask" in done.stdout


def test_scripts_run_from_a_bare_checkout(checkout, tmp_path, write):
    attributes = [
        {"name": "title", "kind": "text"},
        {"name": "brand", "kind": "categorical", "column": "maker"},
    ]
    config = tmp_path / "tiny.yaml"
    config.write_text(
        yaml.safe_dump({"name": "tiny", "attributes": attributes, "data": {"max_session_length": 2}})
    )
    write(tmp_path / "run")
    done = run_script(checkout, "workflows/items.py", "--config", config, "--work-dir", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "run" / "preprocessed" / "manifest.json").read_text())
    assert manifest["settings"]["items only"]["version"] == "0.0.0+checkout"


def test_scripts_report_errors_in_one_line(checkout, tmp_path):
    config = tmp_path / "tiny.yaml"
    config.write_text(yaml.safe_dump({"name": "tiny", "attributes": [{"name": "title", "kind": "text"}]}))
    done = run_script(checkout, "workflows/sessions.py", "--config", config, "--work-dir", tmp_path / "run")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ") and "run `m2trec data` first" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("damaged", ["items.parquet", "interactions/train/*", "interactions/test/*"])
def test_a_damaged_file_of_the_data_is_named_with_the_verb_that_mends_it(tiny, damaged: str) -> None:
    [file, *_] = sorted((tiny.directory / "data").glob(damaged))
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ArtifactError, match=rf"{file.name} is altered: run `m2trec data --force`"):
        preprocess(tiny)


@pytest.mark.parametrize("damaged", ["display.parquet", "vocabularies/brand.parquet"])
def test_a_damaged_file_of_the_catalogue_is_named_with_the_verb_that_mends_it(tiny, damaged: str) -> None:
    folder = preprocess(tiny) / "catalogue"
    (folder / damaged).write_bytes((folder / damaged).read_bytes()[:100])
    catalogue = Catalogue.load(folder)
    with pytest.raises(ArtifactError, match=r"is damaged .*: run `m2trec preprocess --force`"):
        catalogue.display() if damaged == "display.parquet" else catalogue.category_names("brand")

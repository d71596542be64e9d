"""A whole run in a real MLflow store, up to the version that is deployed."""

from __future__ import annotations

import sys
from pathlib import Path

import mlflow
import pytest

from m2trec_merlin.artifacts import read_json
from m2trec_merlin.config import Config
from m2trec_merlin.config.tracking import MlflowConfig
from m2trec_merlin.errors import MissingDependencyError, TrackingError
from m2trec_merlin.evaluation.run import evaluate_model
from m2trec_merlin.runs import Run
from m2trec_merlin.serving.export.run import export
from m2trec_merlin.tracking import recordings
from m2trec_merlin.tracking.base import Beginning
from m2trec_merlin.tracking.mlflow import Mlflow
from m2trec_merlin.training.run import train
from tests.told import Told
from tests.training.test_run import KillAtEpoch, settings
from tests.worlds.raw_run import preprocessed

BEGINNING = Beginning("shop", {"a.b": "1", "columns[0]@x": "y" * 7000}, {"training": "1"})


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> MlflowConfig:
    """A database without runs; making its tables takes seconds."""
    return MlflowConfig(uri=f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db")


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory, empty: MlflowConfig) -> Config:
    """A run that was killed in training, went on, and was evaluated and exported."""
    prepared = preprocessed(tmp_path_factory.mktemp("run"))
    config = Config.model_validate(
        settings(prepared, "m2trec").model_dump()
        | {
            "evaluation": {"baselines": [], "bootstrap_samples": 0, "ks": [1, 2]},
            "serving": {"mixture": {"kind": "off"}},
            "tracking": {"mlflow": empty},
        }
    )
    with pytest.raises(KeyboardInterrupt):
        train(config, progress=KillAtEpoch(2))
    killed = client(config).search_runs([experiment(config).experiment_id])
    assert [run.info.status for run in killed] == ["KILLED"]
    train(config)
    evaluate_model(config)
    export(config)
    return config


def client(config: Config) -> mlflow.MlflowClient:
    assert config.tracking.mlflow is not None
    uri = config.tracking.mlflow.uri
    return mlflow.MlflowClient(uri, registry_uri=uri)


def experiment(config: Config) -> mlflow.entities.Experiment:
    return client(config).get_experiment_by_name(config.name)


def recorded(config: Config) -> mlflow.entities.Run:
    (run,) = client(config).search_runs([experiment(config).experiment_id])
    return run


def test_a_training_its_evaluation_and_its_export_are_one_run(tracked: Config) -> None:
    run = recorded(tracked)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "tiny")
    assert run.data.tags["training"] == read_json(Run(tracked).model / "manifest.json")["training"]
    parameters = run.data.params
    assert parameters["training.epochs"] == "3" and parameters["attributes.brand.column"] == "maker"
    assert parameters["evaluation.ks"] == "[1, 2]"
    assert not any(name.startswith(("tracking", "work_dir")) for name in parameters)


def test_each_epoch_is_one_point_though_one_was_told_twice(tracked: Config) -> None:
    history = read_json(Run(tracked).history)
    points = client(tracked).get_metric_history(recorded(tracked).info.run_id, "epoch/loss")
    assert [(p.step, p.value) for p in points] == [(r["epoch"], pytest.approx(r["loss"])) for r in history]


def test_metrics_and_plots_of_the_evaluation_are_there(tracked: Config) -> None:
    run = recorded(tracked)
    rows = read_json(Run(tracked).evaluation / "metrics.json")
    (hit,) = (r for r in rows if (r["metric"], r["k"], r["slice"]) == ("HIT", 2, "All"))
    assert run.data.metrics[f"test/{hit['model']}/HIT_2/All"] == pytest.approx(hit["value"])
    artifacts = client(tracked).list_artifacts(run.info.run_id, "evaluation")
    assert {"evaluation/report.html", "evaluation/plots"} <= {a.path for a in artifacts}
    assert (Path(run.info.artifact_uri) / "training" / "history.json").is_file()


def test_the_alias_names_a_version_that_holds_the_repository(
    tracked: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = client(tracked).get_model_version_by_alias("tiny", "candidate")
    manifest = read_json(Run(tracked).triton / "manifest.json")
    assert version.run_id == recorded(tracked).info.run_id
    assert version.tags == {"version": manifest["version"], "items": "5", "index": manifest["index"]}
    for variable in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.setenv(variable, client(tracked).tracking_uri)
    fetched = Path(mlflow.artifacts.download_artifacts("models:/tiny@candidate", dst_path=str(tmp_path)))
    there = {p.relative_to(fetched): p.read_bytes() for p in fetched.rglob("*") if p.is_file()}
    repository = Run(tracked).triton
    assert there == {p.relative_to(repository): p.read_bytes() for p in repository.rglob("*") if p.is_file()}


def test_artifacts_lie_beside_the_database(tracked: Config, empty: MlflowConfig) -> None:
    assert empty.uri is not None
    store = Path(empty.uri.removeprefix("sqlite:///")).parent
    assert Path(recorded(tracked).info.artifact_uri).is_relative_to(store / "mlartifacts")


def test_what_is_up_to_date_is_recorded_once(tracked: Config) -> None:
    told = Told()
    train(tracked, progress=told)
    evaluate_model(tracked, progress=told)
    export(tracked, progress=told)
    assert len([line for line in told.lines if line.endswith("is up to date")]) == 3
    assert len(client(tracked).search_model_versions("name='tiny'")) == 1


def test_a_run_that_was_deleted_is_recorded_anew(tracked: Config, empty: MlflowConfig) -> None:
    tracker = Mlflow(empty.model_copy(update={"experiment": "deleted"}), "shop")
    first = tracker.open(None, BEGINNING)
    assert tracker.open(first, BEGINNING) == first
    client(tracked).delete_run(first)
    second = tracker.open(first, BEGINNING)
    assert second != first and tracker.open(second, BEGINNING) == second
    assert tracker.open("0" * 32, BEGINNING) not in (first, second)


def test_names_and_values_that_mlflow_does_not_take_are_made_so(empty: MlflowConfig) -> None:
    tracker = Mlflow(empty.model_copy(update={"experiment": "names"}), "shop")
    run = tracker.client.get_run(tracker.open(None, BEGINNING))
    assert run.data.params["a.b"] == "1" and run.data.params["columns_0__x"] == "y" * 6000


def test_a_password_in_the_environment_is_kept_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:secret@127.0.0.1:1/mlflow")
    tracker = Mlflow(MlflowConfig(), "shop")
    assert tracker.store == "http://ann@127.0.0.1:1/mlflow"
    assert tracker.client.tracking_uri == "http://ann:secret@127.0.0.1:1/mlflow"


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tracked: Config) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(
        MissingDependencyError, match=r"mlflow is missing: pip install 'm2trec-merlin\[mlflow\]'"
    ):
        recordings(tracked, Told())


def test_a_store_that_cannot_be_used_is_named_before_training(tracked: Config, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    away = {"mlflow": {"uri": f"sqlite:///{tmp_path}/file/mlflow.db"}}
    config = Config.model_validate(tracked.model_dump() | {"tracking": away})
    told = Told()
    with pytest.raises(TrackingError, match=r"mlflow at sqlite:.*/file/mlflow\.db: .*File exists"):
        train(config, force=True, progress=told)
    assert not told.lines

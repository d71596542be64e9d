"""The tracker MLflow: runs with parameters, metrics and artifacts, and versions of registered models."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from m2trec_merlin.config.tracking import MlflowConfig
from m2trec_merlin.errors import MissingDependencyError, TrackingError
from m2trec_merlin.tracking.base import Beginning, Status

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

#: Defaults of environment variables. Without them, MLflow reports its use to its maker, and retries for four
#: minutes if a server cannot be reached.
_QUIETLY = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_TRUNCATE_LONG_VALUES": "true",
}
_STATUS = {"running": "RUNNING", "finished": "FINISHED", "killed": "KILLED"}
#: Number of parameters or metrics that MLflow takes at a time.
_AT_ONCE = 100
#: Characters that names must not have.
_NOT_IN_NAMES = re.compile(r"[^\w\-./: ]", re.ASCII)
_LONGEST_NAME = 250

Entity = TypeVar("Entity")


class Mlflow:
    """A run of MLflow for each training, and a version of a registered model for each export.

    Args:
        config: settings of MLflow.
        run: name of our run, the default name of the experiment and of the registered model.

    Raises:
        MissingDependencyError: MLflow, or a package that it needs for databases, is not installed.
        TrackingError: the store cannot be used.
    """

    name = "mlflow"

    def __init__(self, config: MlflowConfig, run: str) -> None:
        for variable, value in _QUIETLY.items():
            os.environ.setdefault(variable, value)
        try:
            import mlflow
            import mlflow.store.tracking.sqlalchemy_store
        except ImportError as error:
            raise MissingDependencyError(
                f"tracking.mlflow needs MLflow, and {error.name} is missing: pip install "
                "'m2trec-merlin[mlflow]', or leave the section out"
            ) from error
        self.config = config
        self.experiment = config.experiment or run
        self.registered_model = config.registered_model or run
        uri = config.uri or mlflow.get_tracking_uri()
        # A URI from the environment may hold a password, which must not get into files or messages.
        self.store = re.sub(r"(?<=//)([^/@]*):[^/@]*@", r"\1@", uri)
        with _explained(self.store):
            self.client: MlflowClient = mlflow.MlflowClient(uri, registry_uri=uri)
        self.run_id = ""
        self._last_steps: dict[str, int] = {}

    def open(self, identity: str | None, beginning: Beginning) -> str:
        """Continue a run, or create one in the experiment."""
        with _explained(self.store):
            self._last_steps = {}
            self.run_id = identity if identity and self._is_there(identity) else self._create(beginning)
        return self.run_id

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log metrics; characters of their names that MLflow does not accept, such as `@`, become `_`."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        with _explained(self.store):
            points = [
                Metric(_name(name), value, now, step)
                for name, value in values.items()
                if not step or step > self._last_step(_name(name))
            ]
            self._in_parts(points, lambda part: self.client.log_batch(self.run_id, metrics=part))
            self._last_steps |= {point.key: step for point in points}

    def files(self, files: Mapping[str, Path]) -> None:
        """Log artifacts."""
        with _explained(self.store):
            for place, path in files.items():
                if path.is_dir():
                    self.client.log_artifacts(self.run_id, str(path), place)
                else:
                    folder = str(Path(place).parent)
                    self.client.log_artifact(self.run_id, str(path), None if folder == "." else folder)

    def model(self, repository: Path, version: str, facts: Mapping[str, str]) -> None:
        """Log the repository, register it as a version, and set the alias to this version."""
        from mlflow.exceptions import MlflowException

        if not self.config.repository:
            return
        place = f"{repository.name}/{version}"
        self.files({place: repository})
        with _explained(self.store):
            try:
                self.client.create_registered_model(self.registered_model)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            created = self.client.create_model_version(
                self.registered_model,
                f"runs:/{self.run_id}/{place}",
                run_id=self.run_id,
                tags={"version": version, **facts},
            )
            self.client.set_registered_model_alias(self.registered_model, self.config.alias, created.version)

    def state(self, status: Status) -> None:
        """Set the status of the run."""
        with _explained(self.store):
            if status == "running":
                self.client.update_run(self.run_id, _STATUS[status])
            else:
                self.client.set_terminated(self.run_id, _STATUS[status])

    def _is_there(self, run_id: str) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            return str(self.client.get_run(run_id).info.lifecycle_stage) == "active"
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise

    def _create(self, beginning: Beginning) -> str:
        from mlflow.entities import Param

        experiment: Experiment | None = self.client.get_experiment_by_name(self.experiment)
        experiment_id = (
            self.client.create_experiment(self.experiment, _artifacts_beside(self.store))
            if experiment is None
            else experiment.experiment_id
        )
        run = self.client.create_run(experiment_id, tags=dict(beginning.tags), run_name=beginning.title)
        run_id = str(run.info.run_id)
        parameters = [Param(_name(name), value) for name, value in beginning.parameters.items()]
        self._in_parts(parameters, lambda part: self.client.log_batch(run_id, params=part))
        return run_id

    def _last_step(self, name: str) -> int:
        if name not in self._last_steps:
            points = self.client.get_metric_history(self.run_id, name)
            self._last_steps[name] = max((point.step for point in points), default=0)
        return self._last_steps[name]

    @staticmethod
    def _in_parts(entities: Sequence[Entity], log: Callable[[Sequence[Entity]], object]) -> None:
        for start in range(0, len(entities), _AT_ONCE):
            log(entities[start : start + _AT_ONCE])


def _name(name: str) -> str:
    return _NOT_IN_NAMES.sub("_", name)[:_LONGEST_NAME]


def _artifacts_beside(store: str) -> str | None:
    """Return the folder of artifacts beside a SQLite file; the default is below the working directory."""
    scheme, _, path = store.partition(":///")
    return str(Path(path).resolve().parent / "mlartifacts") if scheme.startswith("sqlite") and path else None


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """Turn errors of MLflow, a database or the disk into a TrackingError of one line."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise TrackingError(f"tracking.mlflow at {where}: {reason}") from error

"""Where runs may be recorded."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from m2trec_merlin.config.tracking import MlflowConfig


@pytest.mark.parametrize(
    "uri", ["sqlite:///mlflow.db", "postgresql+psycopg2://mlflow@db/mlflow", "http://host:5000", "databricks"]
)
def test_stores_are_databases_and_servers(uri: str) -> None:
    assert MlflowConfig(uri=uri).uri == uri


@pytest.mark.parametrize("uri", ["./mlruns", "file:///mlruns", "mlflow.db", "sqlit:///mlflow.db"])
def test_folders_and_slips_are_no_stores(uri: str) -> None:
    with pytest.raises(ValidationError, match=r"is no store: sqlite:///mlflow\.db"):
        MlflowConfig(uri=uri)


def test_passwords_are_not_kept_with_the_model() -> None:
    with pytest.raises(ValidationError, match="MLFLOW_TRACKING_PASSWORD"):
        MlflowConfig(uri="postgresql://mlflow:secret@db/mlflow")


@pytest.mark.parametrize("alias", ["latest", "v3"])
def test_aliases_of_mlflow_itself_are_refused(alias: str) -> None:
    with pytest.raises(ValidationError, match="keeps for itself"):
        MlflowConfig(alias=alias)

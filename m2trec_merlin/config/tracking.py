"""The section `tracking`: where runs are recorded, besides TensorBoard."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from m2trec_merlin.sections import Name, Section

#: Schemes of the stores that MLflow can reach: databases, with any of their drivers, and servers.
_STORES = r"(sqlite|postgresql|mysql|mssql)(\+\w+)?|https?|databricks(-uc)?"


class MlflowConfig(Section):
    """An MLflow store (extra `mlflow`): one MLflow run per training, with its evaluation and exports."""

    uri: Name | None = Field(
        None,
        description="`sqlite:///mlflow.db`, another database, or `http://host:5000`; default: "
        "`MLFLOW_TRACKING_URI`, or else `sqlite:///mlflow.db`",
    )
    experiment: Name | None = Field(None, description="that its runs belong to; default: the name of the run")
    registered_model: Name | None = Field(
        None, description="whose versions the exports are; default: the name of the run"
    )
    alias: str = Field(
        "candidate",
        pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$",
        max_length=255,
        description="of the version that was exported last",
    )
    repository: bool = Field(True, description="whether `export` stores Triton's model repository there")

    @field_validator("uri")
    @classmethod
    def _is_a_store(cls, uri: str | None) -> str | None:
        if uri is None:
            return None
        if not re.fullmatch(_STORES, uri.partition("://")[0]):
            raise ValueError(
                f"'{uri}' is no store: sqlite:///mlflow.db, another database, or http://host:5000; MLflow "
                "has given up folders of files"
            )
        if "://" in uri and urlsplit(uri).password is not None:
            raise ValueError(
                "holds a password, which would be kept with the model: give such a URI as "
                "MLFLOW_TRACKING_URI, and a server's by MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )
        return uri

    @field_validator("alias")
    @classmethod
    def _is_free(cls, alias: str) -> str:
        if alias.lower() == "latest" or re.fullmatch(r"v\d+", alias, re.IGNORECASE):
            raise ValueError(f"'{alias}' is one that MLflow keeps for itself")
        return alias


class TrackingConfig(Section):
    """Where runs are recorded, besides TensorBoard."""

    mlflow: MlflowConfig | None = None

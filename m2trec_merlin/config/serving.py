"""The section `serving`: the Triton model repository and the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from m2trec_merlin.sections import Name, Section, SettingPath
from m2trec_merlin.serving.runtime.indexes import INDEXES

if TYPE_CHECKING:
    IndexName = str
else:
    IndexName = Literal[("auto", *INDEXES)]

LogJson = Literal["none", "faulty", "all"]


class ShownLogConfig(Section):
    """A log of what was asked and shown, in Parquet files, for `m2trec replay`."""

    folder: SettingPath = Field(description="where its files go; made if it is not there")
    days: int = Field(7, ge=1, le=3650, description="after which its files are removed")


class TlsConfig(Section):
    """Encryption of gRPC; files in PEM."""

    certificate: SettingPath = Field(description="the server's, with those that signed it")
    key: SettingPath = Field(description="that belongs to it, without a password")
    client_ca: SettingPath | None = Field(
        None, description="clients have to show a certificate that one of these signed (mTLS)"
    )


class MixtureConfig(Section):
    """What counts how much beside the model, where `serving.neighbours` is on; `m2trec tune` finds values."""

    neighbours: float = Field(2.0, ge=0, le=100, description="training sessions most like the session")
    content: float = Field(0.5, ge=0, le=100, description="items whose words are most like the session's")
    by: Literal["metadata", "id"] = Field(
        "metadata",
        description="what makes items the same to neighbours by session; a model that reads ids has id",
    )
    rare: float = Field(
        1.0, ge=-100, le=100, description="added to items without history, half of it at 5 occurrences"
    )

    def weights(self) -> dict[str, float]:
        """Return the numbers alone, by name."""
        return self.model_dump(exclude={"by"})


class ServingConfig(Section):
    """The Triton model repository and the server."""

    top_k: int = Field(20, ge=1, le=10_000)
    top_categories: int = Field(3, ge=1, le=10_000)
    new_item_boost: float = Field(
        0.0,
        ge=-1e6,
        le=1e6,
        description="added to the scores of items without training history; a request can say otherwise",
    )
    neighbours: bool = Field(
        False,
        description="export the training sessions, too, and mix the model with those most like a session: "
        "better answers for more memory and time (docs/serving.md)",
    )
    mixture: MixtureConfig = MixtureConfig()
    index: IndexName = Field(
        "auto",
        description="how candidates are searched: exact, quantised (in 8 bits, the best of them exactly), or "
        "auto: quantised where it finds 99.9 % of the best 20 items",
    )
    title_column: Name | None = Field(
        None, description="column of the items table to show, which preprocessing writes; default: first text"
    )
    host: Name = Field(
        "127.0.0.1",
        description="interface that gRPC listens on, 0.0.0.0 for all; HTTP and metrics stay on 127.0.0.1",
    )
    tls: TlsConfig | None = None
    http_port: int = Field(8000, ge=1, le=65535)
    grpc_port: int = Field(8001, ge=1, le=65535)
    metrics_port: int = Field(8002, ge=1, le=65535)
    start_timeout: float = Field(90.0, ge=0.1, le=86_400, description="seconds to wait for readiness")
    log_json: LogJson = Field(
        "none", description="requests of which `m2trec serve` prints a line of JSON: none, faulty, all"
    )
    log: ShownLogConfig | None = None

    @model_validator(mode="after")
    def _ports_differ(self) -> ServingConfig:
        ports = [self.http_port, self.grpc_port, self.metrics_port]
        if len(set(ports)) < len(ports):
            raise ValueError(f"http_port, grpc_port and metrics_port need different ports, not {ports}")
        return self

"""The section `serving`: the Triton model repository and the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, create_model, model_validator

from m2trec_merlin.contract.server_settings import LogJson
from m2trec_merlin.neighbours.weights import WEIGHTS
from m2trec_merlin.search.indexes import INDEXES
from m2trec_merlin.sections import Count, Name, Section, SettingPath

if TYPE_CHECKING:
    IndexName = str
else:
    IndexName = Literal[("auto", *INDEXES)]


class ShownLogConfig(Section):
    """A log of requests and the recommendations shown, in Parquet files, for `m2trec replay`."""

    folder: SettingPath = Field(description="where its files go; made if it is not there")
    days: int = Field(7, ge=1, le=3650, description="after which its files are removed")


class TlsConfig(Section):
    """Encryption of gRPC; all files are PEM."""

    certificate: SettingPath = Field(description="the server's, with those that signed it")
    key: SettingPath = Field(description="that belongs to it, without a password")
    client_ca: SettingPath | None = Field(
        None, description="clients have to show a certificate that one of these signed (mTLS)"
    )


class TunedMixture(Section):
    """The weights of the mixture are chosen on validation sessions, after training: the default."""

    kind: Literal["tuned"] = "tuned"
    prefixes: Count = Field(4000, description="validation prefixes to choose on, a seeded sample")
    loss: float = Field(
        0.02,
        ge=0,
        le=1,
        description="share of the best HIT@20 and MRR@20 over all that may be given for rare and new items "
        "on the sample; elsewhere it costs about half of that",
    )


class _FixedMixture(Section):
    """The weights of the mixture are given here."""

    kind: Literal["fixed"] = "fixed"

    def weights(self) -> dict[str, float]:
        """Return the weights by name."""
        return self.model_dump(exclude={"kind"})


if TYPE_CHECKING:

    class FixedMixture(_FixedMixture):
        """A mixture with a number for each weight."""

        def __init__(self, **weights: float) -> None: ...

else:
    FixedMixture = create_model(
        "FixedMixture",
        __base__=_FixedMixture,
        __doc__=_FixedMixture.__doc__,
        __module__=__name__,
        **{
            each.name: (float, Field(each.default, ge=-100 * each.signed, le=100, description=each.about))
            for each in WEIGHTS.values()
        },
    )


class NoMixture(Section):
    """The model alone is served."""

    kind: Literal["off"] = "off"


AnyMixture = Annotated[TunedMixture | FixedMixture | NoMixture, Field(discriminator="kind")]


class ServingConfig(Section):
    """The Triton model repository and the server."""

    top_k: int = Field(20, ge=1, le=10_000)
    top_categories: int = Field(3, ge=1, le=10_000)
    new_item_boost: float = Field(
        0.0,
        ge=-1000,
        le=1000,
        description="added to the scores of items without training history; a request can say otherwise",
    )
    mixture: AnyMixture = TunedMixture()
    index: IndexName = Field(
        "auto",
        description="how candidates are searched: "
        + ", ".join(f"{name} ({index.meaning})" for name, index in INDEXES.items())
        + ", or auto: the first of these to find 99 % of the best 20 items",
    )
    instances: int = Field(
        1,
        ge=1,
        le=64,
        description="processes that recommend side by side, Triton's instances of the second step: one for "
        "two cores, say. Each holds for itself what neighbours know; they share the vectors of items",
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

    @property
    def is_mixed(self) -> bool:
        """Whether the model is served in a mixture with other views."""
        return not isinstance(self.mixture, NoMixture)

    @model_validator(mode="after")
    def _ports_differ(self) -> ServingConfig:
        ports = [self.http_port, self.grpc_port, self.metrics_port]
        if len(set(ports)) < len(ports):
            raise ValueError(f"http_port, grpc_port and metrics_port need different ports, not {ports}")
        return self

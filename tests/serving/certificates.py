"""Certificates for tests, made anew each time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme

from m2trec_merlin.config.serving import TlsConfig
from m2trec_merlin.serving.client import Tls


@dataclass(frozen=True)
class Certificates:
    """Of a server called 127.0.0.1 and a client, both signed by one authority, and of a stranger."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Certificates:
        ours, other = trustme.CA(), trustme.CA()
        ours.cert_pem.write_to_path(folder / "ca.pem")
        for name, issued in (
            ("server", ours.issue_cert("127.0.0.1")),
            ("client", ours.issue_cert("shop@example.org")),
            ("stranger", other.issue_cert("stranger@example.org")),
        ):
            issued.private_key_pem.write_to_path(folder / f"{name}.key")
            for blob in issued.cert_chain_pems:
                blob.write_to_path(folder / f"{name}.pem", append=True)
        return cls(folder)

    def server(self, mutual: bool) -> TlsConfig:
        return TlsConfig(
            certificate=self.folder / "server.pem",
            key=self.folder / "server.key",
            client_ca=self.folder / "ca.pem" if mutual else None,
        )

    def client(self, name: str | None) -> Tls:
        if name is None:
            return Tls(self.folder / "ca.pem")
        return Tls(self.folder / "ca.pem", self.folder / f"{name}.pem", self.folder / f"{name}.key")

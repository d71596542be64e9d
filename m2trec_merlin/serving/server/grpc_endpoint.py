"""The interface that Triton's gRPC listens on, and its encryption.

Triton's HTTP and metrics have no encryption, so they stay on the loopback interface in any case.
"""

from __future__ import annotations

import errno
import socket
import ssl
from dataclasses import dataclass

from m2trec_merlin.config.serving import ServingConfig, TlsConfig
from m2trec_merlin.contract.names import LOCALHOST, is_loopback
from m2trec_merlin.errors import ServerError, reason_of
from m2trec_merlin.serving.server.ports import in_use


@dataclass(frozen=True)
class GrpcEndpoint:
    """The interface that gRPC listens on, and its encryption.

    Attributes:
        host: name or IPv4 address of an interface of this machine; 0.0.0.0 for all of them.
        tls: files for encryption; None for unencrypted connections.
    """

    host: str = LOCALHOST
    tls: TlsConfig | None = None

    @classmethod
    def of(cls, config: ServingConfig) -> GrpcEndpoint:
        """Make it from the configuration."""
        return cls(config.host, config.tls)

    def require_usable(self, port: int) -> None:
        """Check for mistakes on which Triton would fail, or start and then refuse every client.

        Raises:
            ServerError: this machine has no such interface, the port is in use there, or a file for TLS is
                missing or not valid.
        """
        _require_interface(self.host, port)
        if self.tls is not None:
            _require_files(self.tls)

    def options(self) -> list[str]:
        """Return the options for Triton's command line."""
        options = [f"--grpc-address={self.host}"]
        if self.tls is not None:
            options += [
                "--grpc-use-ssl=true",
                f"--grpc-server-cert={self.tls.certificate.resolve()}",
                f"--grpc-server-key={self.tls.key.resolve()}",
            ]
            if self.tls.client_ca is not None:
                options += [
                    "--grpc-use-ssl-mutual=true",
                    f"--grpc-root-cert={self.tls.client_ca.resolve()}",
                ]
        return options

    def remarks(self) -> list[str]:
        """Return warnings for the operator, such as on unencrypted connections from other machines."""
        if self.tls is None and not is_loopback(self.host):
            return [
                f"gRPC on {self.host} takes anybody who reaches it, and what is sent can be read on the way: "
                "set serving.tls, with client_ca, or have a proxy in front of it"
            ]
        return []

    def local(self, port: int) -> str:
        """Return the address that a client on this machine connects to."""
        return f"{LOCALHOST if self.host == '0.0.0.0' else self.host}:{port}"


#: For clients on this machine only, and unencrypted.
LOOPBACK = GrpcEndpoint()


def _require_interface(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ServerError(f"Triton cannot be started: {in_use('grpc', port)}") from None
            raise ServerError(
                f"serving.host '{host}': this machine has no such IPv4 interface ({error.strerror}); "
                "accepted: 127.0.0.1 for this machine only, an address of it, or 0.0.0.0 for all of them"
            ) from None


def _require_files(tls: TlsConfig) -> None:
    for name, path in (("certificate", tls.certificate), ("key", tls.key), ("client_ca", tls.client_ca)):
        try:
            if path is not None:
                path.read_bytes()
        except OSError as error:
            raise ServerError(f"serving.tls.{name}: {path} cannot be read: {reason_of(error)}") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password, OpenSSL would ask for one on the terminal.
        context.load_cert_chain(tls.certificate, tls.key, password="")
    except (ssl.SSLError, ValueError) as error:
        raise ServerError(
            f"serving.tls: {tls.certificate} and {tls.key} are no certificate and its key, in PEM and "
            f"without a password ({_reason(error)})"
        ) from None
    try:
        if tls.client_ca is not None:
            context.load_verify_locations(tls.client_ca)
    except ssl.SSLError as error:
        raise ServerError(
            f"serving.tls.client_ca: {tls.client_ca} holds no certificates in PEM ({_reason(error)})"
        ) from None


def _reason(error: Exception) -> str:
    return (getattr(error, "reason", None) or str(error)).lower().replace("_", " ")

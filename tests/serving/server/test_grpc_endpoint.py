from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from m2trec_merlin.config.serving import ServingConfig, TlsConfig
from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.server.grpc_endpoint import LOOPBACK, GrpcEndpoint
from m2trec_merlin.serving.server.ports import Ports
from tests.serving.certificates import Certificates


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates.make(tmp_path)


def test_nobody_else_comes_in_unless_told() -> None:
    assert GrpcEndpoint.of(ServingConfig()) == LOOPBACK and LOOPBACK.remarks() == []
    assert LOOPBACK.options() == ["--grpc-address=127.0.0.1"]


def test_an_open_door_is_remarked_on(certificates: Certificates) -> None:
    for host in ("0.0.0.0", "shop.example"):
        assert "set serving.tls" in GrpcEndpoint(host).remarks()[0]
        assert GrpcEndpoint(host, certificates.server(mutual=True)).remarks() == []


def test_triton_is_told_of_certificates(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = certificates.folder.resolve()
    monkeypatch.chdir(folder)
    relative = TlsConfig(certificate=Path("server.pem"), key=Path("server.key"))
    encrypted = [
        *("--grpc-address=0.0.0.0", "--grpc-use-ssl=true"),
        *(f"--grpc-server-cert={folder}/server.pem", f"--grpc-server-key={folder}/server.key"),
    ]
    assert GrpcEndpoint("0.0.0.0", relative).options() == encrypted
    mutual = ["--grpc-use-ssl-mutual=true", f"--grpc-root-cert={folder}/ca.pem"]
    assert GrpcEndpoint("0.0.0.0", certificates.server(mutual=True)).options() == [*encrypted, *mutual]


def test_a_client_on_this_machine_finds_it() -> None:
    assert GrpcEndpoint("0.0.0.0").local(8001) == LOOPBACK.local(8001) == "127.0.0.1:8001"
    assert GrpcEndpoint("shop.example").local(8001) == "shop.example:8001"


def test_what_fits_is_usable(certificates: Certificates) -> None:
    port = Ports.free().grpc
    for mutual in (False, True):
        GrpcEndpoint("0.0.0.0", certificates.server(mutual)).require_usable(port)


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid", "::1"])
def test_an_interface_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(ServerError, match=rf"serving\.host '{host}': this machine has no such"):
        GrpcEndpoint(host).require_usable(Ports.free().grpc)


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ServerError, match=r"port \d+ \(grpc\) is in use: .*serving\.grpc_port"):
            LOOPBACK.require_usable(other.getsockname()[1])


@pytest.mark.parametrize("name", ["certificate", "key", "client_ca"])
def test_a_missing_file_is_named(certificates: Certificates, name: str) -> None:
    tls = certificates.server(mutual=True).model_copy(update={name: Path("nothing.pem")})
    with pytest.raises(ServerError, match=rf"serving\.tls\.{name}: nothing\.pem cannot be read: No such"):
        GrpcEndpoint(tls=tls).require_usable(Ports.free().grpc)


def test_a_key_of_another_certificate_is_refused(certificates: Certificates) -> None:
    shutil.copyfile(certificates.folder / "client.key", certificates.folder / "server.key")
    with pytest.raises(ServerError, match=r"are no certificate and its key.*\(key values mismatch\)"):
        GrpcEndpoint(tls=certificates.server(mutual=False)).require_usable(Ports.free().grpc)


def test_a_key_with_a_password_is_refused_and_not_asked_for(certificates: Certificates) -> None:
    path = certificates.folder / "server.key"
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    form = serialization.PrivateFormat.PKCS8
    locked = serialization.BestAvailableEncryption(b"secret")
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, locked))
    with pytest.raises(ServerError, match="without a password"):
        GrpcEndpoint(tls=certificates.server(mutual=False)).require_usable(Ports.free().grpc)


def test_authorities_that_are_none_are_refused(certificates: Certificates) -> None:
    (certificates.folder / "ca.pem").write_text("nobody")
    with pytest.raises(ServerError, match=r"serving\.tls\.client_ca: .*ca\.pem holds no certificates"):
        GrpcEndpoint(tls=certificates.server(mutual=True)).require_usable(Ports.free().grpc)

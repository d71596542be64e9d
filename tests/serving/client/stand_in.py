"""A small gRPC server in Triton's place."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

ANSWER: dict[str, list[Any]] = {
    "recommended_ids": [b"a", b"b"],
    "titles": [b"Tea", "Café".encode()],
    "scores": [2.0, 1.5],
    "warnings": [],
    "about": [b'{"request_id": "r-1", "model": "m", "catalogue": "0"}'],
}


class StandIn(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Fails as often as told, then answers; keeps what it was asked."""

    def __init__(self) -> None:
        self.failures: list[tuple[grpc.StatusCode, str]] = []
        self.seconds = 0.0
        self.asked: list[service_pb2.ModelInferRequest] = []

    def ServerLive(self, request: object, context: grpc.ServicerContext) -> object:
        return service_pb2.ServerLiveResponse(live=True)

    def ModelInfer(self, request: service_pb2.ModelInferRequest, context: grpc.ServicerContext) -> object:
        self.asked.append(request)
        time.sleep(self.seconds)
        if self.failures:
            context.abort(*self.failures.pop(0))
        response = service_pb2.ModelInferResponse()
        for name, values in ANSWER.items():
            kind = "FP32" if name == "scores" else "BYTES"
            response.outputs.add(name=name, datatype=kind, shape=[1, len(values)])
            if kind == "FP32":
                raw = np.array(values, np.float32).tobytes()
            else:
                raw = b"".join(len(value).to_bytes(4, "little") + value for value in values)
            response.raw_output_contents.append(raw)
        return response

    @property
    def tensors(self) -> dict[str, list[bytes]]:
        """Of the last request."""
        found = {}
        for tensor, raw in zip(self.asked[-1].inputs, self.asked[-1].raw_input_contents, strict=True):
            texts = []
            while raw:
                size = int.from_bytes(raw[:4], "little")
                texts.append(raw[4 : 4 + size])
                raw = raw[4 + size :]
            assert list(tensor.shape) == [1, len(texts)] and tensor.datatype == "BYTES"
            found[tensor.name] = texts
        return found


@contextmanager
def serving(
    stand_in: StandIn, port: int = 0, credentials: grpc.ServerCredentials | None = None
) -> Iterator[str]:
    """Yield the address of a server for the length of a block."""
    server = grpc.server(ThreadPoolExecutor(4))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(stand_in, server)
    address = f"127.0.0.1:{port}"
    port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None)

"""Requests that arrive when they arrive, whether or not earlier ones were answered.

Arrivals are a Poisson process of a given rate, drawn beforehand. A latency counts from the moment at which
the request was due, so that a server (or this process) that falls behind is charged for the waiting as well.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from m2trec_merlin.contract.names import ENSEMBLE

_LONGEST_WAIT = 30.0


@dataclass(frozen=True)
class Measured:
    """What a stream of requests met.

    Attributes:
        seconds: float64, from due to answered, of the requests that were answered.
        failed: requests that were refused or timed out.
        late: seconds by which this process sent requests after they were due, the 99th percentile.
    """

    seconds: np.ndarray
    failed: int
    late: float


def request(tensors: Mapping[str, Sequence[str]]) -> service_pb2.ModelInferRequest:
    """Return a request to the ensemble: tensors of texts, for one session."""
    message = service_pb2.ModelInferRequest(model_name=ENSEMBLE)
    for name, texts in tensors.items():
        tensor = message.inputs.add(name=name, datatype="BYTES", shape=[1, len(texts)])
        tensor.contents.bytes_contents.extend(text.encode() for text in texts)
    return message


def ask(address: str, requests: Sequence[service_pb2.ModelInferRequest], rate: float, seed: int) -> Measured:
    """Send requests at a mean rate, and wait for all answers.

    Args:
        address: HOST:PORT of Triton's gRPC.
        requests: in the order in which they are sent.
        rate: requests a second.
        seed: of the arrivals.
    """
    due = np.cumsum(np.random.default_rng(seed).exponential(1 / rate, len(requests)))
    sent, answered = np.zeros(len(requests)), np.full(len(requests), np.nan)
    left = threading.Semaphore(0)
    with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
        infer = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer
        start = time.perf_counter() + 0.1
        for number, message in enumerate(requests):
            if (wait := start + due[number] - time.perf_counter()) > 0:
                time.sleep(wait)
            sent[number] = time.perf_counter()
            call = infer.future(message, timeout=_LONGEST_WAIT)

            def finish(done: grpc.Future, number: int = number) -> None:
                if done.exception() is None:
                    answered[number] = time.perf_counter()
                left.release()

            call.add_done_callback(finish)
        for _ in requests:
            left.acquire()
    good = ~np.isnan(answered)
    late = float(np.percentile(sent - start - due, 99))
    return Measured((answered - start - due)[good], int((~good).sum()), late)

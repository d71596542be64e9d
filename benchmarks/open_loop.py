"""Send requests at given times, whether or not earlier ones were answered.

Arrivals are a Poisson process of a given rate, drawn beforehand. A latency counts from the time when the
request was due, so that the delays of a server (or of this process) that falls behind count as well.
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
    """The measurements of a stream of requests.

    Attributes:
        seconds: time from due to answered of each answered request, float64.
        failed: number of requests that were refused or timed out.
        late: 99th percentile of the delay with which this process sent requests, in seconds.
    """

    seconds: np.ndarray
    failed: int
    late: float


def request(tensors: Mapping[str, Sequence[str]]) -> service_pb2.ModelInferRequest:
    """Return a request to the ensemble for one session, from tensors of texts."""
    message = service_pb2.ModelInferRequest(model_name=ENSEMBLE)
    for name, texts in tensors.items():
        tensor = message.inputs.add(name=name, datatype="BYTES", shape=[1, len(texts)])
        tensor.contents.bytes_contents.extend(text.encode() for text in texts)
    return message


def ask(address: str, requests: Sequence[service_pb2.ModelInferRequest], rate: float, seed: int) -> Measured:
    """Send requests at a mean rate, and wait for all answers.

    Args:
        address: HOST:PORT of Triton's gRPC.
        requests: the requests in the order of sending.
        rate: requests per second.
        seed: seed of the arrival times.
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

"""Small programs in Triton's place."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

READY = """
import http.server, subprocess, sys
port = next(int(a.split("=")[1]) for a in sys.argv if a.startswith("--http-port"))
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("worker", worker.pid, flush=True)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/v2/models/m2trec/ready" else 404)
        self.end_headers()
    def log_message(self, *arguments): pass
http.server.HTTPServer(("127.0.0.1", port), Answer).serve_forever()
"""
#: Its only worker never answers what it took.
BUSY = (
    """
import json, os, pathlib, struct
folder = json.loads(os.environ["M2TREC_SERVING"])["under_way"]
pathlib.Path(folder, "m2trec_preprocess.1").write_bytes(struct.pack("=3q", 7, 0, 0))
"""
    + READY
)
#: A worker tells something twice, amid what Triton says.
TELLING = (
    "print('m2trec-merlin: version 3 is damaged', 'I1 some news', sep=chr(10), flush=True)\n"
    "print('m2trec-merlin: version 3 is damaged', flush=True)\n" + READY
)
#: A worker tells something when it ends.
TELLING_AT_LAST = (
    "import signal, sys\n"
    "def end(*_): print('m2trec-merlin: the log cannot be written', flush=True); sys.exit()\n"
    "signal.signal(signal.SIGTERM, end)\n" + READY
)
ENDING = READY.replace("serve_forever()", "handle_request()")
FAILING = (
    "print('I1 CUDA memory pool disabled'); print('E1 failed to load m2trec: disk full'); raise SystemExit(3)"
)
HANGING = "import time; print('still loading', flush=True); time.sleep(60)"


def write(program: Path, code: str) -> None:
    program.write_text(f"#!{sys.executable}\n{code}")


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()


def becomes_true(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Wait for something that takes a moment."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return met

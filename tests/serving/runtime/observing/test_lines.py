from __future__ import annotations

import json
import os
import select

import pytest

from m2trec_merlin.serving.runtime.observing.lines import Line, write_line

GOOD = Line(0.25, "r-1", "m2trec_predict", "v1", 1.23456, "answered", "", 5, (b"caf\xc3\xa9",))


def test_a_line_says_what_became_of_a_request() -> None:
    common = {"time": "1970-01-01T00:00:00.250+00:00", "request_id": "r-1", "step": "m2trec_predict"}
    common |= {"model": "v1", "milliseconds": 1.235}
    assert json.loads(GOOD.text()) == {**common, "event": "answered", "recommended": 5, "warnings": ["café"]}
    bad = Line(0.25, "r-1", "m2trec_predict", "v1", 1.23456, "refused", "options.top_k: 'a\nb'", 0, ())
    assert json.loads(bad.text()) == {**common, "event": "refused", "error": "options.top_k: 'a\nb'"}


@pytest.mark.parametrize("letter", ["\x00", "\U0001f600", "\udcff", '"'])
def test_pipes_keep_every_line_whole(letter: str) -> None:
    warnings = (letter.encode(errors="replace") * 500,) * 50
    for line in (
        Line(0, letter * 5000, "m2trec_predict", "v" * 16, 1.0, "answered", "", 5, warnings),
        Line(0, letter * 5000, "m2trec_predict", "v" * 16, 1.0, "failed", letter * 5000, 0, ()),
    ):
        read, write = os.pipe()
        write_line(write, line), write_line(write, GOOD)
        assert select.select([read], [], [], 0)[0]
        text = os.read(read, 1 << 16)
        os.close(read), os.close(write)
        first, second = text.splitlines(keepends=True)
        assert len(first) <= select.PIPE_BUF and second == GOOD.text().encode()
        assert json.loads(first)["request_id"].startswith(letter.encode(errors="replace").decode())

"""What is said of events that hold no item."""

from __future__ import annotations

import numpy as np

from m2trec_merlin.rows import RowsOfIds
from m2trec_merlin.serving.runtime.reading.parsing import RawSession, SessionParser


def test_attributes_of_an_event_without_an_item_are_told() -> None:
    parser = SessionParser(["price"], 5, None)
    said = RawSession(["a", "", "b"], ["", "", ""], (), ['{"type": "buy"}'] * 3)
    parsed = parser.parse(RowsOfIds(["a", "b"]), said)
    assert parsed.notes == ["event_attributes[1]: ignored, since there is no item"]
    np.testing.assert_array_equal(parsed.rows, [1, 2])

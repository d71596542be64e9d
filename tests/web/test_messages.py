from __future__ import annotations

import pytest

from m2trec_merlin.web.messages import Message, messages_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("only 3 items may be recommended", [("", "only 3 items may be recommended")]),
        ("options.top_k: expected 1, found 0", [("options.top_k", "expected 1, found 0")]),
        ("options.filters.a_b: no; or: yes", [("options.filters.a_b", "no; or: yes")]),
        ("options.filters.unit price: a number", [("options.filters.unit price", "a number")]),
        (
            "options.filters.<b>: no; options.filters.mat-group: a: b",
            [("options.filters.<b>", "no"), ("options.filters.mat-group", "a: b")],
        ),
        ("item_attributes[12]: price 'x' is no number", [("item_attributes[12]", "price 'x' is no number")]),
        ("options.topk: no such option; item_ids[0]: too long", None),
        (
            "item_ids[0]: too long; event_attributes[1]: no object",
            [("item_ids[0]", "too long"), ("event_attributes[1]", "no object")],
        ),
        ("options.candidates[3]: two\nlines", [("options.candidates[3]", "two\nlines")]),
        ("item_attributes or options.candidates: x", [("", "item_attributes or options.candidates: x")]),
        ("", [("", "")]),
    ],
)
def test_messages_are_parted_and_placed(text: str, expected: list[tuple[str, str]] | None) -> None:
    both = [("options.topk", "no such option"), ("item_ids[0]", "too long")]
    assert messages_of(text) == [Message(*each) for each in expected or both]

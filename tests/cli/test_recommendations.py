from __future__ import annotations

from io import StringIO

from rich.console import Console

from m2trec_merlin.cli.recommendations import describe_item, print_recommendations
from m2trec_merlin.contract.about import About
from m2trec_merlin.serving.client import Explanation, Recommendations

ABOUT = About("r-1", "m", "0")


def printed(recommendations: Recommendations) -> str:
    output = StringIO()
    session = ["a", {"title": "Purple [new] tea", "price": 2}]
    print_recommendations(Console(file=output, width=100), session, recommendations, {"a": "Apple"})
    return output.getvalue()


def test_everything_is_printed() -> None:
    text = printed(
        Recommendations(
            ["b", "c"],
            ["Bread [sliced]", "Cheese"],
            [1.25, 0.5],
            {"aisle": [("bakery", 0.613), ("dairy", 0.2)]},
            ["item_ids[4]: ignored"],
            ABOUT,
        )
    )
    for expected in (
        "1. a  Apple",
        "2. new item  (title=Purple [new] tea, price=2)",
        "Bread [sliced]",
        "1.250",
        "Next aisle: bakery 61%, dairy 20%",
        "Note: item_ids[4]: ignored",
    ):
        assert expected in text


def test_reasons_are_named_by_the_numbers_of_the_session() -> None:
    reasons = [
        Explanation(1, 0.5, "title", 0.25, "boost", {}),
        Explanation(0, 0.5, None, None, "metadata", {}),
        Explanation(None, None, None, None, "popularity", {}),
    ]
    text = printed(
        Recommendations(["b", "c", "d", "e"], ["", "", "", ""], [4, 3, 2, 1], {}, [], ABOUT, reasons)
    )
    for expected in ("because of", "boost (2, title)", "metadata (1)", "popularity"):
        assert expected in text
    assert "because of" not in printed(Recommendations(["b"], ["B"], [1.0], {}, [], ABOUT))


def test_nothing_commands_the_terminal() -> None:
    text = printed(Recommendations(["\x1b[2J"], ["\x1b]0;mine\x07 bread"], [1.0], {}, [], ABOUT))
    assert "\x1b" not in text and "\x07" not in text and "mine\N{REPLACEMENT CHARACTER} bread" in text


def test_no_prediction_is_said() -> None:
    assert "Next aisle: no prediction" in printed(Recommendations([], [], [], {"aisle": []}, [], ABOUT))


def test_items_without_a_known_title_are_shown_by_id() -> None:
    assert describe_item(7, {}) == "7"

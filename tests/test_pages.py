from __future__ import annotations

from m2trec_merlin.pages import render_page, render_table


def test_what_is_text_is_never_markup() -> None:
    page = render_page("A & <b>", render_table("<i>", ["<u>", "n"], [["<s>", "1 < 2"]]))
    for tag in ("<b>", "<i>", "<u>", "<s>"):
        assert tag not in page
    assert page.count("A &amp; &lt;b&gt;") == 2 and "<td>1 &lt; 2</td>" in page

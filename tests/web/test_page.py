"""The page in a real browser: searched, clicked, typed, narrow, broken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from selenium.webdriver.common.keys import Keys
from starlette.responses import JSONResponse, Response

from m2trec_merlin.contract.version import Description
from m2trec_merlin.library.local import LocalRecommender
from m2trec_merlin.serving.runtime.options import options_schema
from m2trec_merlin.web import answering
from m2trec_merlin.web.app import build_app
from tests.web.browser import CHROMIUM, DRIVER, NARROW, Breakable, Page, chromium, served

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs Chromium and chromedriver, and finds none"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def application(versions: dict[str, LocalRecommender]) -> Breakable:
    return Breakable(build_app({"today": versions["today"]}))


@pytest.fixture(scope="module")
def address(application: Breakable) -> Iterator[str]:
    with served(application) as address:
        yield address


@pytest.fixture
def page(browser, address: str) -> Iterator[Page]:
    page = Page(browser, address)
    page.complaints()
    yield page
    assert page.complaints() == []


def test_a_session_is_built_by_searching_and_clicking(
    page: Page, versions: dict[str, LocalRecommender]
) -> None:
    page.open()
    assert page.recommended() == [item.item_id for item in versions["today"].search("", 5)]
    assert page.texts(".version h3") == ["What is bought most"] and not page.texts(".note")
    page.find("#search").send_keys("red bread")
    page.wait(lambda: len(page.texts("#search-list [role=option]")) == 3)
    page.find("#search-list [role=option]:nth-child(2)").click()
    page.settle()
    assert page.session() == ["red bread 1"]
    page.find(".recommended li:nth-child(3) button.row").click()
    page.settle()
    [_, second] = page.driver.current_url.split("#")[1].split("&")
    session = ["sku-16", second.removeprefix("item=")]
    assert page.recommended() == versions["today"].recommend(session).item_ids
    departments = versions["today"].recommend(session).categories["department"]
    assert page.texts(".task .value") == [name for name, _ in departments]
    assert page.texts(".task .share") == [f"{share:.0%}".replace("%", " %") for _, share in departments]
    page.driver.back()
    page.wait(lambda: page.session() == ["red bread 1"])
    page.driver.refresh()
    page.wait(lambda: page.session() == ["red bread 1"])


def test_all_of_it_is_done_by_keyboard(page: Page) -> None:
    page.open()
    page.press("/")
    page.press("bread")
    page.wait(lambda: page.texts("#search-list [role=option]"))
    page.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_UP)
    active = page.find("#search").get_attribute("aria-activedescendant")
    title = page.find(f"#{active} .title").text
    assert page.find(f"#{active}").get_attribute("aria-selected") == "true"
    page.press(Keys.ENTER)
    page.settle()
    assert page.session() == [title] and page.focused() == "Find an item"
    page.press("milk", Keys.ESCAPE)
    assert page.find("#search").get_attribute("aria-expanded") == "false"
    page.select_all()
    page.press("sku-9", Keys.ENTER)
    page.wait(lambda: page.session() == [title, "green apple 4"])
    page.settle()
    page.press(Keys.TAB)
    assert page.focused() == f"Remove {title}"
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert page.driver.execute_script(outline) == "solid"
    page.press(Keys.ENTER)
    page.wait(lambda: page.session() == ["green apple 4"])
    assert page.focused() == "Remove green apple 4"
    page.settle()
    page.press(Keys.DELETE)
    page.wait(lambda: page.session() == [])
    assert page.focused() == "Find an item"
    page.driver.execute_script("document.querySelector('.recommended button.row').focus()")
    page.press(Keys.ENTER)
    page.wait(lambda: len(page.session()) == 1)
    page.settle()
    page.press(Keys.ENTER)
    page.wait(lambda: len(page.session()) == 2)


def test_options_are_set_explained_and_refused_where_they_stand(page: Page) -> None:
    page.open("#item=sku-1&item=sku-2")
    page.find("[data-field='options.explain'] input").click()
    page.wait(lambda: page.texts(".why summary"))
    assert "because of" in page.texts(".why summary")[0]
    page.fill("[data-field='options.top_k'] input", "2")
    page.wait(lambda: len(page.recommended()) == 2)
    page.fill("[data-field='options.top_k'] input", "0")
    fault = "[data-field='options.top_k'] .fault"
    assert page.wait(lambda: page.texts(fault)) == ["expected a whole number from 1 to 10,000, found 0"]
    assert page.find("[data-field='options.top_k'] input").get_attribute("aria-invalid") == "true"
    page.fill("[data-field='options.top_k'] input", "")
    page.wait(lambda: len(page.recommended()) == 5)
    assert not page.texts(".fault")
    page.find(".task button").click()
    page.wait(lambda: "options" in page.driver.current_url and "department" in page.driver.current_url)
    page.settle()
    department = page.texts(".task [aria-pressed=true] .value")
    assert page.texts("[data-field='options.filters.department'] .chips li span") == department
    assert all(department[0] in meta for meta in page.texts(".recommended .meta"))
    page.find("#reset").click()
    page.wait(lambda: "options" not in page.driver.current_url)


def test_what_fields_have_no_place_for_is_shown_and_said_as_json(
    page: Page, versions: dict[str, LocalRecommender]
) -> None:
    filters = {"department": {"not": ["bakery"]}, "price": {"min": 2, "not": 3}, "tags": "local"}
    page.open(f"#item=sku-1&options={quote(json.dumps({'filters': filters}))}")
    assert page.recommended() == versions["today"].recommend(["sku-1"], filters=filters).item_ids
    assert page.texts("[data-field='options.filters.tags'] .chips span") == ["local"]
    assert not page.texts(".task button")
    department = "[data-field='options.filters.department'] "
    assert page.find(f"{department} textarea").get_attribute("value") == '{"not":["bakery"]}'
    page.fill(f"{department} textarea", '["dairy"')
    assert page.find(f"{department} textarea").get_attribute("aria-invalid") == "true"
    page.find(f"{department} textarea").send_keys("]")
    only_dairy = {**filters, "department": ["dairy"]}
    expected = versions["today"].recommend(["sku-1"], filters=only_dairy).item_ids
    page.wait(lambda: page.recommended() == expected)
    page.find(f"{department} button.json").click()
    assert page.texts(f"{department} .chips span") == ["dairy"]


def test_an_option_that_the_page_has_never_heard_of_has_a_field(
    page: Page, versions: dict[str, LocalRecommender], monkeypatch: pytest.MonkeyPatch
) -> None:
    def schema(version: Description) -> dict[str, Any]:
        known = options_schema(version)
        luck = {"description": "what fortune adds", "default": None}
        return {**known, "properties": {**known["properties"], "lucky_number": luck}}

    monkeypatch.setattr(answering, "options_schema", schema)
    page.open("#item=sku-1")
    field = "[data-field='options.lucky_number'] "
    assert page.texts(f"{field} label") == ["Lucky number"]
    page.find(".more summary").click()
    page.find(f"{field} textarea").send_keys("[7]")
    [fault] = page.wait(lambda: page.texts(f"{field} .fault"))
    assert fault.startswith("no such option; accepted: request_id, top_k")


def test_an_empty_answer_says_why_and_what_to_do(page: Page) -> None:
    page.open(f"#item=sku-1&options={quote(json.dumps({'filters': {'price': {'min': 1000}}}))}")
    assert "Nothing can be recommended with these options." in page.find(".empty").text
    assert "only 0 items may be recommended" in page.find(".empty").text
    assert not page.find(".general").is_displayed()  # which would say it again
    page.find(".empty button").click()
    page.wait(lambda: len(page.recommended()) == 5)


def test_unknown_items_and_cut_addresses_are_told(page: Page) -> None:
    page.open("#item=sku-1&item=nothing&options={%22top_k")
    assert "the catalogue has no item 'nothing'" in page.texts("#session > li:nth-child(2) .note")[0]
    assert page.session() == ["green bread 1", "nothing"] and len(page.recommended()) == 5


@pytest.mark.parametrize("name", ["unit price", "Größe", "price (€)", "a.b", "."])
def test_a_filter_that_a_run_does_not_have_is_told_whatever_it_is_called(page: Page, name: str) -> None:
    page.open(f"#item=sku-1&options={quote(json.dumps({'filters': {name: 3}}))}")
    page.wait(lambda: any("no such column" in text for text in page.texts(".fault")))


@pytest.mark.parametrize("typed", ["1.299", "7.50", "0x10", "12"])
def test_a_number_is_sent_as_it_is_typed(page: Page, typed: str) -> None:
    page.open("#item=sku-1")
    page.find("#describe").click()
    page.press("red bread", Keys.TAB, Keys.TAB, Keys.TAB, typed)
    page.find("#new-item-add").click()
    page.wait(lambda: len(page.session()) == 2)
    page.settle()
    sent = page.find("#code pre").get_attribute("textContent")
    assert f'"price": {typed}' in sent if typed == "12" else f'"price": "{typed}"' in sent


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (Response("<html>no gateway", 502), "an answer that cannot be read (status 502)"),
        (Response("{", 200), "an answer that cannot be read (status 200)"),
        (JSONResponse({"error": "the disk is gone"}, 500), "the disk is gone"),
        (JSONResponse({}), "an answer that cannot be read."),
        (JSONResponse({"answers": [{"answer": {}, "messages": []}]}), "an answer that cannot be shown."),
    ],
)
def test_a_broken_answer_is_told_and_tried_again(
    page: Page, application: Breakable, broken: Response, told: str
) -> None:
    page.open("#item=sku-1")
    before = page.recommended()
    application.instead = broken
    page.find(".recommended button.row").click()
    page.wait(lambda: page.texts(".banner"))
    assert told in page.find("#trouble").text
    assert page.recommended() == before and len(page.session()) == 2
    application.instead = None
    page.find(".banner button").click()
    page.wait(lambda: not page.texts(".banner"))
    assert len(page.recommended()) == 5
    page.complaints()


def test_a_server_that_is_gone_is_told(page: Page, versions: dict[str, LocalRecommender]) -> None:
    with served(build_app(versions)) as address:
        left = Page(page.driver, address)
        left.open("#item=sku-1")
    left.find(".recommended button.row").click()
    left.wait(lambda: left.texts(".banner"))
    assert "gives no answer. Is `m2trec try` still running?" in left.find("#trouble").text
    assert len(left.session()) == 2 and left.recommended()
    left.complaints()


def test_a_new_item_is_typed_in_changed_and_kept_as_text(
    page: Page, versions: dict[str, LocalRecommender]
) -> None:
    page.open("#item=sku-1")
    page.find("#describe").click()
    assert not page.find("#new-item-add").is_enabled()
    page.press("<b onclick=alert(1)>red</b> bread")
    page.press(Keys.TAB, "bak")
    page.wait(lambda: page.driver.execute_script("return document.querySelector('datalist option')?.value"))
    page.press("ery", Keys.TAB, "local", Keys.ENTER, Keys.TAB, "cheap")
    page.find("#new-item-add").click()
    page.wait(lambda: len(page.session()) == 2)
    page.settle()
    item = {
        "product_name": "<b onclick=alert(1)>red</b> bread",
        "department": "bakery",
        "tags": ["local"],
        "price": "cheap",
    }
    assert page.recommended() == versions["today"].recommend(["sku-1", item]).item_ids
    assert page.session()[1] == f"{item['product_name']} new"
    assert page.texts("#session .note") == ["price 'cheap' is not a finite number, so it counts as missing"]
    page.find("#session [aria-label^=Change]").click()
    page.fill("#new-item-fields input", "green tea")
    page.press(Keys.ENTER)
    page.wait(lambda: page.session()[1:] == ["green tea new"])
    page.settle()


def test_a_narrow_window_has_one_column_and_nothing_outside_of_it(page: Page) -> None:
    item = {"product_name": f"bread {'with all that one could wish for ' * 9}", "department": "bakery"}
    page.open(f"#item=sku-1&new={quote(json.dumps(item))}&options={{%22explain%22:true}}", NARROW)
    assert any(item["product_name"] in reason for reason in page.texts(".why summary"))
    assert page.is_within_window()
    tops = [page.find(each).rect["y"] for each in ("#session", "#answers", "aside")]
    assert tops == sorted(tops) and page.find("#answers").rect["width"] > 350
    assert not page.find("#options").is_displayed()
    page.find("aside summary").click()
    assert page.find("#options").is_displayed()


@pytest.mark.parametrize("size", [(1280, 900), (390, 844)])
@pytest.mark.parametrize("option", ["exclude", "candidates"])
def test_what_is_long_is_cut_and_widens_nothing(page: Page, option: str, size: tuple[int, int]) -> None:
    name = "Samsung Galaxy Tab S9 Ultra 14.6 Inch Wi-Fi Tablet 512 GB Graphite"
    page.open(f"#item=sku-1&options={quote(json.dumps({option: [name, 'x' * 200]}))}", size)
    page.driver.execute_script(
        "document.querySelectorAll('#options-fold, #options-fold details').forEach(each => each.open = true)"
    )
    page.wait(lambda: name in page.texts(".chips span"))
    assert page.is_within_window()


def test_two_versions_stand_side_by_side(page: Page, versions: dict[str, LocalRecommender]) -> None:
    with served(build_app(versions)) as address:
        both = Page(page.driver, address)
        both.open("#item=sku-1&item=sku-3")
        today, tomorrow = (
            versions["today"].recommend(["sku-1", "sku-3"], popularity=share).item_ids for share in (1, 0)
        )
        assert today != tomorrow and both.recommended() == [*today, *tomorrow]
        assert both.texts(".version h3") == ["today", "tomorrow"]
        shared = len({*today} & {*tomorrow})
        assert f"{shared} of 5 in both" in both.texts(".version:nth-child(2) .pill")
        assert len(both.texts(".badge.only")) == 5 - shared
        lefts = [both.find(f".version:nth-child({n})").rect["x"] for n in (1, 2)]
        assert lefts[0] < lefts[1]
        both.open("#item=sku-1&options={%22explain%22:true}", NARROW)
        assert both.is_within_window() and both.find(".version:nth-child(2)").rect["width"] > 350

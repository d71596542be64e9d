"""The page checked by axe-core against WCAG 2.2, levels A and AA, and what is usual beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from selenium import webdriver
from selenium_axe_python import Axe

from m2trec_merlin.library.local import LocalRecommender
from m2trec_merlin.web.app import build_app
from tests.web.browser import CHROMIUM, DRIVER, NARROW, WIDE, Page, chromium, served

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs Chromium and chromedriver, and finds none"),
]

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
NEW = quote(json.dumps({"product_name": "red bread", "department": "bakery", "price": "cheap"}))
NOTHING = quote(json.dumps({"filters": {"price": {"min": 1000}}, "top_k": 0}))
STATES = {
    "nothing bought yet": "",
    "recommendations, with reasons": "#item=sku-1&item=sku-2&options={%22explain%22:true}",
    "notes": f"#item=sku-1&item=nothing&new={NEW}",
    "a refused option": f"#item=sku-1&options={NOTHING}",
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def address(versions: dict[str, LocalRecommender]) -> Iterator[str]:
    with served(build_app(versions)) as address:
        yield address


def faults(page: Page) -> list[str]:
    axe = Axe(page.driver)
    axe.inject()
    found = axe.run(options={"runOnly": {"type": "tag", "values": RULES}})
    assert found["passes"], "axe looked at nothing"
    return [
        f"{each['id']}: {node['html']}: {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.parametrize(("colours", "size"), [("light", WIDE), ("dark", NARROW)])
def test_nobody_is_kept_out(
    browser: webdriver.Chrome, address: str, colours: str, size: tuple[int, int]
) -> None:
    # While the page fades, colours are none that stay.
    wanted = {"prefers-color-scheme": colours, "prefers-reduced-motion": "reduce"}
    features = [{"name": name, "value": value} for name, value in wanted.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page = Page(browser, address)
    found = {}
    for name, state in STATES.items():
        page.open(state, size)
        # What is folded away is looked at, too.
        for each in browser.find_elements("css selector", "details"):
            browser.execute_script("arguments[0].open = true", each)
        found[name] = faults(page)
    page.open("#item=sku-1", size)
    page.find("#search").send_keys("bread")
    page.wait(lambda: page.texts("#search-list [role=option]"))
    found["found items"] = faults(page)
    page.open("#item=sku-1", size)
    page.find("#describe").click()
    found["a new item"] = faults(page)
    assert [f"{name}: {fault}" for name, all_of_it in found.items() for fault in all_of_it] == []

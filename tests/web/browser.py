"""A real browser without a screen, and the page in this process for it to look at."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

T = TypeVar("T")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
WIDE, NARROW = (1280, 900), (390, 844)
_SWITCHES = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


class Breakable:
    """An application whose answers to requests for recommendations can be garbled."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.instead: Response | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.instead is not None and scope.get("path") == "/api/recommend":
            await self.instead(scope, receive, send)
        else:
            await self._app(scope, receive, send)


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """Serve an application in a thread; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def chromium(profile: Path) -> Iterator[webdriver.Chrome]:
    """Start Chromium with a fresh profile."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for switch in (*_SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """The page as somebody uses it."""

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver, self.address = driver, address

    def open(self, state: str = "", size: tuple[int, int] = WIDE) -> None:
        """Open it afresh, at a state in the address and in a window of a size; waits for its answer."""
        width, height = size
        window = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", window)
        self.driver.get("about:blank")
        self.driver.get(f"{self.address}/{state}")
        self.settle()

    def settle(self) -> None:
        """Wait until what was asked is answered."""
        self.wait(lambda: self.find("#answers").get_attribute("aria-busy") == "false")

    def wait(self, until: Callable[[], T]) -> T:
        """Wait until something is there or true."""
        return WebDriverWait(self.driver, 20, 0.02).until(lambda _: until())

    def find(self, selector: str) -> WebElement:
        """Return the first element."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """Return the texts of all elements, as they are in the document."""
        script = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)"
        found: list[str] = self.driver.execute_script(script, selector)
        return found

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def select_all(self) -> None:
        """Select the text of the field that has the focus."""
        keys = webdriver.ActionChains(self.driver).key_down(Keys.CONTROL).send_keys("a")
        keys.key_up(Keys.CONTROL).perform()

    def session(self) -> list[str]:
        """Return the titles of the session's items."""
        return self.texts("#session .text > .title")

    def recommended(self) -> list[str]:
        """Return the ids of the recommendations, of all versions."""
        rows = "[...document.querySelectorAll('.recommended button.row')]"
        ids: list[str] = self.driver.execute_script(f"return {rows}.map(row => row.dataset.item)")
        return ids

    def focused(self) -> str:
        """Return what has the focus, as a screen reader says it."""
        script = "const e = document.activeElement; return e.getAttribute('aria-label') ?? e.textContent"
        name: str = self.driver.execute_script(script)
        return name

    def is_within_window(self) -> bool:
        """Tell whether nothing is wider than the window, so that nobody has to scroll sideways."""
        script = "const all = document.documentElement; return all.scrollWidth <= all.clientWidth"
        within: bool = self.driver.execute_script(script)
        return within

    def fill(self, selector: str, text: str) -> None:
        """Write into a field instead of what it holds."""
        field = self.find(selector)
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(text or Keys.DELETE)

    def complaints(self) -> list[dict[str, Any]]:
        """Return what the browser's console has since it was last asked: errors of scripts, refused files."""
        found: list[dict[str, Any]] = self.driver.get_log("browser")
        return found

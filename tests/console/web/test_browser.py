"""The console in headless Chromium: a real run from its start to its report, hostile pages, keyboard and axe-core.

Screenshots of every page at both widths are written to LRL_SCREENSHOTS, else to a temporary folder.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.console.web.made import Made
from tests.console.web.test_hostile import EVIL
from tests.graphs.runs import ROOT, command, settings

pytestmark = pytest.mark.browser

WIDTHS = (1280, 390)
TABS = ("", "reflections", "strategy", "approval", "data", "student", "attempts", "calls")
PATIENCE_S = 400


class Browser:
    """Chromium with what the tests ask of it."""

    def __init__(self, driver: Any, base: str, shots: Path) -> None:
        self.driver, self.base, self.shots = driver, base, shots

    def open(self, path: str) -> None:
        self.driver.get(self.base + path)

    def text(self) -> str:
        return str(self.script("return document.body.innerText"))

    def script(self, code: str, *arguments: Any) -> Any:
        return self.driver.execute_script(code, *arguments)

    def click(self, selector: str) -> None:
        found = self.driver.find_element("css selector", selector)
        self.script("arguments[0].scrollIntoView({block: 'center'})", found)
        found.click()

    def until(self, what: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
        end = time.monotonic() + seconds
        while not (value := what()):
            assert time.monotonic() < end, self.text()[:2000]
            time.sleep(0.3)
        return value

    def width(self, width: int) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def shot(self, name: str) -> None:
        """The whole page at both widths; at 390 pixels nothing may stick out."""
        for width in WIDTHS:
            self.width(width)
            wide = self.script("return document.documentElement.scrollWidth")
            assert wide <= width, f"{name}: {wide} pixels wide on a screen of {width}"
            high = min(6000, self.script("return document.documentElement.scrollHeight"))
            clip = {"x": 0, "y": 0, "width": width, "height": high, "scale": 1}
            taken = self.driver.execute_cdp_cmd(
                "Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True, "format": "png"}
            )
            (self.shots / f"{name}-{width}.png").write_bytes(base64.b64decode(taken["data"]))
        self.width(WIDTHS[0])

    def complaints(self) -> list[str]:
        """What the browser's console says is wrong: refused content, failed loads, errors."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def foreign_requests(self) -> list[str]:
        """Addresses of other servers that were asked for."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith((self.base, "data:"))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("folder")


@pytest.fixture(scope="module")
def browser(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    chromium, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("Chromium or its driver is not installed: apt-get install chromium chromium-driver")
    shots = Path(os.environ.get("LRL_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    shots.mkdir(parents=True, exist_ok=True)
    with _server(folder) as address:
        webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is missing: pip install -e '.[browser]'")
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        made = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        try:
            made.get(address)
            yield Browser(made, address.split("/?")[0], shots)
        finally:
            made.quit()


class _server:
    """The program as a user starts it."""

    def __init__(self, runs: Path) -> None:
        arguments = [sys.executable, "-m", "console", "--runs", str(runs)]
        self.process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().split()[-1]

    def __exit__(self, *exception: object) -> None:
        self.process.terminate()
        self.process.wait()


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, from npm."""
    place = tmp_path_factory.mktemp("axe")
    if not shutil.which("npm"):
        pytest.skip("npm is not installed; it brings axe-core")
    packed = subprocess.run(["npm", "pack", "axe-core@4"], cwd=place, capture_output=True, text=True, timeout=120)
    if packed.returncode:
        pytest.skip(f"axe-core could not be fetched: {packed.stderr[-200:]}")
    with tarfile.open(next(place.glob("*.tgz"))) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member
        return member.read().decode()


def serious(browser: Browser, axe: str) -> list[str]:
    """Findings of axe-core that are serious or critical, with where they are."""
    browser.script(axe)
    found = browser.driver.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations), e => done([{id: String(e)}]));"
    )
    return [
        f"{item['id']}: {[node['target'] for node in item.get('nodes', [])][:4]}"
        for item in found
        if item.get("impact") in ("serious", "critical", None)
    ]


def test_a_run_is_watched_read_edited_approved_and_reported(browser: Browser, folder: Path) -> None:
    arguments = command(folder, "--domain", "python", "--approve", "ask", "--run", "watched", "--wait", *settings())
    log = (folder / "log.txt").open("w")
    process = subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    try:
        _watch(browser)
        _read(browser)
        _decide(browser, folder / "watched")
        _report(browser)
        assert process.wait(timeout=60) == 0
    finally:
        process.terminate()
        process.wait()
        log.close()
    assert not browser.complaints() and not browser.foreign_requests()


def _watch(browser: Browser) -> None:
    """The page of the run changes by itself until the run asks."""
    link = "td a[href='/runs/watched']"
    browser.until(lambda: (browser.open("/runs"), browser.driver.find_elements("css selector", link))[1], 60)
    browser.click(link)
    browser.script("window.same = true")  # lost if the page were loaded again
    stage = browser.until(lambda: _stage(browser))
    browser.until(lambda: _stage(browser) not in (stage, ""))
    browser.shot("run-live")
    browser.until(lambda: "waits for a decision" in browser.text())
    assert browser.script("return window.same") is True


def _stage(browser: Browser) -> str:
    return str(browser.script("return document.querySelector('.stateline span:nth-child(2)')?.innerText || ''"))


def _read(browser: Browser) -> None:
    """From a reflection to the strategy, from a bullet to its attempt, and back."""
    for tab in TABS:
        browser.open(f"/runs/watched/{tab}".rstrip("/"))
        browser.shot(f"waiting-{tab or 'run'}")
    browser.open("/runs/watched/reflections")
    browser.click(".timeline h2 a")
    assert "Journal" in browser.text() and "Proposed edits" in browser.text()
    browser.shot("reflection")
    browser.click("a[href*='/attempt?id=lrl']")
    assert "Verdict" in browser.text()
    browser.shot("attempt")
    candidate = browser.driver.find_elements("css selector", "a[href*='/strategy?v='][href*='#b']")
    if candidate:
        browser.click("a[href*='/strategy?v='][href*='#b']")
        browser.click(".from a[href*='/attempt?id=']")
        assert "Bullets that name this attempt" in browser.text()
    browser.open("/runs/watched/calls")
    browser.click("td a[href*='/call?key=']")
    assert "Prompt" in browser.text() and "Reply" in browser.text()
    browser.shot("call")
    browser.open("/runs/watched/search?q=edge")
    browser.shot("search")


def _decide(browser: Browser, run: Path) -> None:
    """An edit is measured and asked about again; then it is approved."""
    browser.open("/runs/watched/approval")
    browser.click("#decide details summary")
    field = browser.driver.find_element("css selector", "textarea")
    browser.script("arguments[0].value += '\\n- Read your solution once more before you send it.'", field)
    browser.click("button[value=edit]")
    browser.until(lambda: "Your decision is recorded" in browser.text(), 20)
    browser.until(lambda: (browser.open("/runs/watched/approval"), "measured again" in browser.text())[1])
    assert "Read your solution once more" in browser.text()
    browser.shot("approval-again")
    browser.click("button[value=approve]")
    browser.until(lambda: "Your decision is recorded" in browser.text(), 20)
    rows = [json.loads(line) for line in (run / "inbox.jsonl").read_text().splitlines()]
    assert [row["action"] for row in rows] == ["edit", "approve"]


def _report(browser: Browser) -> None:
    """The run goes on to its report, which is shown in a frame without rights."""
    browser.open("/runs/watched")
    browser.until(lambda: "complete" in _state(browser))
    browser.open("/runs/watched")
    frame = browser.driver.find_element("css selector", "iframe.report")
    assert frame.get_attribute("sandbox") == "" and frame.size["height"] > 300
    browser.script("arguments[0].scrollIntoView()", frame)
    loaded = "return performance.getEntriesByType('resource').filter(e => e.name.endsWith('/report')).length"
    browser.until(lambda: browser.script(loaded), 20)
    asked = "const done = arguments[0]; fetch('/runs/watched/report').then(r => r.text()).then(done)"
    assert "Transfer report" in browser.driver.execute_async_script(asked)
    for tab in TABS:
        browser.open(f"/runs/watched/{tab}".rstrip("/"))
        browser.shot(f"done-{tab or 'run'}")
    browser.open("/runs")
    browser.shot("runs")


def _state(browser: Browser) -> str:
    return str(browser.script("return document.querySelector('.state.big')?.innerText || ''"))


def test_hostile_pages_run_and_fetch_nothing(browser: Browser, folder: Path) -> None:
    Made(folder, "evil", hostile=EVIL).complete()
    for tab in (
        *TABS,
        "reflections/1",
        "attempt?id=lrl/learning/oracle/p-train-0/0/r1",
        "call?key=c1",
        "search?q=script",
    ):
        browser.open(f"/runs/evil/{tab}".rstrip("/"))
        assert "alert(1)" in browser.text() or tab in ("", "attempts", "calls", "student"), tab
        browser.shot(f"evil-{tab.split('?')[0].replace('/', '-') or 'run'}")
    assert not browser.complaints() and not browser.foreign_requests()


def test_no_page_has_a_serious_fault_of_accessibility(browser: Browser, folder: Path, axe: str) -> None:
    for name, finish in (("asks", Made.waiting), ("done", Made.complete)):
        finish(Made(folder, name))
    pages = ["/runs", "/compare?run=asks&run=done", "/runs/none"]
    pages += [f"/runs/{run}/{tab}".rstrip("/") for run in ("asks", "done") for tab in TABS]
    pages += [f"/runs/done/{page}" for page in ("reflections/1", "call?key=c1", "search?q=edge")]
    pages += ["/runs/done/attempt?id=lrl/learning/oracle/p-train-0/0/r1"]
    found = {}
    for scheme in ("light", "dark"):
        feature = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": feature})
        for width in WIDTHS:
            browser.width(width)
            for page in pages:
                browser.open(page)
                if faults := serious(browser, axe):
                    found[f"{page} {scheme} {width}"] = faults
        browser.open("/runs/done")
        browser.shot(f"{scheme}-run")
        browser.open("/runs/asks/approval")
        browser.shot(f"{scheme}-approval")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert not found, json.dumps(found, indent=1)


def test_a_decision_needs_no_mouse(browser: Browser, folder: Path) -> None:
    run = Made(folder, "keys").waiting()
    browser.open("/runs/keys/approval")
    keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
    focused = "return document.activeElement.value + ' ' + getComputedStyle(document.activeElement).outlineStyle"
    for _ in range(80):
        browser.driver.switch_to.active_element.send_keys(keys.TAB)
        if str(browser.script(focused)).startswith("approve"):
            break
    assert browser.script(focused) == "approve solid"
    browser.driver.switch_to.active_element.send_keys(keys.ENTER)
    browser.until(lambda: "Your decision is recorded" in browser.text(), 20)
    assert json.loads((run.path / "inbox.jsonl").read_text())["action"] == "approve"


def test_pages_work_without_javascript(browser: Browser, folder: Path) -> None:
    run = Made(folder, "plain").waiting()
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.open("/runs/plain/approval")
        browser.driver.find_element("css selector", "input[name=reason]").send_keys("no script was needed")
        browser.driver.find_element("css selector", "button[value=reject]").click()
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    row = json.loads((run.path / "inbox.jsonl").read_text())
    assert (row["action"], row["text"]) == ("reject", "no script was needed")

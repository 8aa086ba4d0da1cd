"""Nobody is served without the token, under another host's name, or by a form of another site."""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from console.web.guard import CSP, MOST_BODY, Access, Guard
from console.web.server import make_app
from tests.console.web.made import BASE, INTERRUPT, PORT, Made, client, csrf

PAGES = ["/", "/runs", "/runs/done", "/runs/done/report", "/static/console.css", "/runs/done/events", "/nothing"]


@pytest.fixture(scope="module")
def guarded(runs: Path) -> Guard:
    return make_app(runs, Access(PORT, "right-token"))


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", "?token=right-tokenX", "?token=%ff"])
def test_without_the_token_nothing_is_served(guarded: Guard, path: str, query: str) -> None:
    answer = TestClient(guarded, base_url=BASE).get(path + query)
    assert answer.status_code == 403 and "token" in answer.text
    assert "done" not in answer.text and "set-cookie" not in answer.headers


def test_the_token_becomes_a_cookie_that_scripts_and_other_sites_do_not_get(guarded: Guard) -> None:
    browser = TestClient(guarded, base_url=BASE)
    answer = browser.get("/runs?token=right-token&sort=name")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "right-token" not in cookie
    assert 'url=/runs?sort=name"' in answer.text and "right-token" not in answer.text
    assert browser.get("/runs").status_code == 200


def test_where_the_token_leads_cannot_be_chosen_by_a_link(guarded: Guard) -> None:
    answer = TestClient(guarded, base_url=BASE).get(BASE + "//evil.example/%22%3E%3Cscript%3E?token=right-token")
    assert "url=/evil.example" in answer.text and "<script>" not in answer.text


@pytest.mark.parametrize("cookie", ["console_8123=", "console_8123=wrong", "console_8123=right-token", "\x01;;==", "x"])
def test_another_cookie_does_not_open(guarded: Guard, cookie: str) -> None:
    assert TestClient(guarded, base_url=BASE).get("/runs", headers={"cookie": cookie}).status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", f"127.0.0.1.evil.example:{PORT}", ""]
)
def test_another_host_name_is_refused_even_with_the_cookie(browser: TestClient, host: str) -> None:
    answer = browser.get("/runs", headers={"host": host})
    assert answer.status_code == 403 and "done" not in answer.text


def test_the_token_does_not_open_under_another_host_name(guarded: Guard) -> None:
    answer = TestClient(guarded, base_url=BASE).get("/?token=right-token", headers={"host": "evil.example"})
    assert answer.status_code == 403 and "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"http://localhost:{PORT}"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
def test_a_form_of_another_site_is_refused_and_nothing_is_written(tmp_path: Path, headers: dict[str, str]) -> None:
    run = Made(tmp_path, "asks").waiting()
    browser = client(tmp_path)
    fields = {"csrf": csrf(browser), "interrupt_id": INTERRUPT, "action": "approve", "strategy_hash": "x"}
    assert browser.post("/runs/asks/approval", data=fields, headers=headers).status_code == 403
    assert not (run.path / "inbox.jsonl").exists()


@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_a_form_without_its_token_is_refused(browser: TestClient, runs: Path, token: str | None) -> None:
    fields = {"interrupt_id": INTERRUPT, "action": "approve", "strategy_hash": "x"}
    fields |= {"csrf": token} if token is not None else {}
    answer = browser.post("/runs/asks/approval", data=fields)
    assert answer.status_code == 403 and not (runs / "asks" / "inbox.jsonl").exists()


def test_a_large_or_endless_form_is_refused(browser: TestClient) -> None:
    assert browser.post("/runs/asks/approval", data={"text": "x" * (MOST_BODY + 1)}).status_code == 413
    many = "&".join(f"a{n}=1" for n in range(2000))
    assert browser.post("/runs/asks/approval", content=many).status_code == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(browser: TestClient, method: str) -> None:
    assert browser.request(method, "/runs").status_code == 403


@pytest.mark.parametrize("path", ["/runs", "/runs/done", "/runs/nothing", "/static/htmx.min.js", "/nowhere"])
def test_every_answer_forbids_what_is_not_ours(browser: TestClient, path: str) -> None:
    headers = browser.get(path).headers
    assert headers["content-security-policy"] == CSP
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    directives = dict(part.strip().split(" ", 1) for part in CSP.split(";"))
    assert directives["default-src"] == "'none'" and directives["script-src"] == directives["style-src"] == "'self'"
    assert not any("unsafe" in value or "*" in value for value in directives.values())


def test_the_report_may_run_and_load_nothing(browser: TestClient) -> None:
    policy = browser.get("/runs/done/report").headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'") and "allow-" not in policy and "script" not in policy


@pytest.mark.parametrize("path", ["/runs", "/runs/done", "/runs/asks/approval", "/runs/done/reflections/1"])
def test_no_page_has_a_script_a_style_or_an_address_in_it(browser: TestClient, path: str) -> None:
    page = browser.get(path).text
    assert set(re.findall(r"<script[^>]*>", page)) <= {
        '<script src="/static/htmx.min.js" defer>',
        '<script src="/static/htmx-sse.js" defer>',
    }
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    assert not re.search(r'(?:src|href|action)="(?!/|#|data:,")', page)

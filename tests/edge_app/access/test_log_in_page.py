"""The log-in page in a browser, against a running server with users."""

import threading

import pytest
import uvicorn

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def address(guarded):
    config = uvicorn.Config(guarded, port=0, log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
        assert thread.is_alive()
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def page(address, browser):
    page = browser.new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.goto(address)
    yield page
    page.close()


def log_in(page, password):
    page.get_by_label("Name").fill("rita")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def test_one_logs_in_asks_and_logs_out(page):
    page.wait_for_url("**/login")
    log_in(page, "not the password")
    page.get_by_text("do not belong together").wait_for()
    assert page.get_by_label("Password").input_value() == ""
    log_in(page, PASSWORD)
    page.get_by_role("button", name="Log out rita").wait_for()
    assert page.get_by_text("Worklist").first.is_visible()
    # A request that changes something, sent by the page itself.
    status = page.evaluate(
        """async () => {
          const api = await import(new URL("static/api.js", document.baseURI));
          return (await api.query({ text: "nodule" })).hits.length;
        }"""
    )
    assert status > 0
    assert page.evaluate("document.cookie").count("edge_session") == 0
    page.get_by_role("button", name="Log out rita").click()
    page.wait_for_url("**/login")
    page.goto(page.url.replace("/login", "/"))
    page.wait_for_url("**/login")
    assert page.problems == []

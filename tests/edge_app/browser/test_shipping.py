"""What the page is made of: files of our own, fetched at once, none from elsewhere. Needs no browser."""

import re
from pathlib import Path

import edge_retrieve.edge_app.api as api

STATIC = Path(api.__file__).parents[1] / "static"
PAGE = (STATIC / "index.html").read_text()


def test_every_module_is_fetched_at_once_and_every_fetch_exists():
    named = set(re.findall(r'<link rel="modulepreload" href="static/([\w.-]+)">', PAGE))
    modules = {path.name for path in STATIC.glob("*.js")} - {"app.js"}
    assert named == modules


def test_every_style_sheet_is_used():
    assert set(re.findall(r'<link rel="stylesheet" href="static/([\w.-]+)">', PAGE)) == {
        path.name for path in STATIC.glob("*.css")
    }


def test_every_icon_that_is_used_exists():
    sheet = set(re.findall(r'<symbol id="([\w-]+)"', (STATIC / "icons.svg").read_text()))
    used = set(re.findall(r"icons\.svg#([\w-]+)", PAGE))
    for path in STATIC.glob("*.js"):
        used |= set(re.findall(r'icon(?:Button)?\("([\w-]+)"', path.read_text()))
    assert used <= sheet
    assert sheet <= used | {"thumb-up", "thumb-down"}


def test_nothing_is_named_that_lies_elsewhere():
    for path in STATIC.rglob("*"):
        if path.suffix in {".html", ".js", ".css", ".svg"}:
            foreign = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", path.read_text()))
            assert foreign <= {"http://www.w3.org"}, path.name


def test_every_element_that_a_script_asks_for_is_on_the_page():
    ids = set(re.findall(r'\bid="([\w-]+)"', PAGE))
    for path in STATIC.glob("*.js"):
        wanted = set(re.findall(r'\$\("([\w-]+)"\)', path.read_text()))
        assert wanted <= ids, f"{path.name}: {wanted - ids}"

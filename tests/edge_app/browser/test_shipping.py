"""What the page is made of: files of our own, fetched at once, none from elsewhere. Needs no browser."""

import re
from pathlib import Path

import edge_retrieve.edge_app.api as api

STATIC = Path(api.__file__).parents[1] / "static"
PAGE = (STATIC / "index.html").read_text()


def imported(name, seen):
    """Add a module and all that it imports."""
    if name not in seen:
        seen.add(name)
        for other in re.findall(r'from "\./([\w.-]+)"', (STATIC / name).read_text()):
            imported(other, seen)
    return seen


def test_every_module_is_fetched_at_once():
    named = re.findall(r'<link rel="modulepreload" href="static/([\w.-]+)">', PAGE)
    assert set(named) == imported("app.js", set()) - {"app.js"}
    assert len(named) == len(set(named))


def test_every_file_belongs_to_a_page():
    pages = "".join(path.read_text() for path in STATIC.glob("*.html"))
    begun = re.findall(r'<script type="module" src="(?:[\w./-]*/)?([\w.-]+)"', pages)
    modules = set().union(*(imported(name, set()) for name in begun))
    assert modules == {path.name for path in STATIC.glob("*.js")}
    sheets = set(re.findall(r'<link rel="stylesheet" href="(?:[\w./-]*/)?([\w.-]+)" ?/?>', pages))
    assert sheets == {path.name for path in STATIC.glob("*.css")}


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

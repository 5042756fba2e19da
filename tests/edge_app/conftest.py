"""A small real archive: toy pictures with reports, ingested into a store with the toy bundle."""

import os
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
import uvicorn
from click.testing import CliRunner
from starlette.testclient import TestClient

from edge_retrieve.edge_app.api import create_app
from edge_retrieve.edge_app.bench.browser import find_chromium, launch_chromium
from edge_retrieve.edge_app.cli import main
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.bundle import Trust
from edge_retrieve.runtime.ingest import ingest

UNSIGNED = Trust(allow_unsigned=True)

# Study n's right upper lung zone is as bright as this, with a nodule reported where it is above a half.
LEVELS = (0.95, 0.9, 0.85, 0.8, 0.15, 0.12)
NODULE = "FINDINGS: There is a nodule in the right upper lung zone. Heart size is normal."
CLEAR = "FINDINGS: The lungs are clear. Heart size is normal."


@pytest.fixture(scope="session")
def archive(toy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    for n, level in enumerate(LEVELS):
        report = NODULE if level > 0.5 else CLEAR
        toy.save(folder / f"case{n}.png", seed=n, report=report, right_upper_lung_zone=level)
    return folder


@pytest.fixture(scope="session")
def store_path(toy, archive, tmp_path_factory):
    path = tmp_path_factory.mktemp("stores") / "store"
    with Workspace(path, toy.bundle.path, trust=UNSIGNED, create=True) as workspace:
        summary = ingest(workspace.store, workspace.encoder, [archive])
        assert not summary.rejected
    return path


@pytest.fixture(scope="session")
def workspace(toy, store_path):
    with Workspace(store_path, toy.bundle.path, trust=UNSIGNED) as workspace:
        yield workspace


@pytest.fixture
def make_client(workspace):
    """Return a function that starts the application with the given settings."""
    clients = []

    def make(**settings):
        app = create_app(workspace, ServerSettings(**settings))
        client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
        clients.append(client)
        client.__enter__()
        assert app.state.warm_up.wait(60)
        return client

    yield make
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def client(make_client):
    return make_client()


@pytest.fixture
def query_image(toy, tmp_path):
    """A picture that is not in the archive, with a bright right upper lung zone."""
    return toy.save(tmp_path / "query.png", seed=99, right_upper_lung_zone=0.93)


@pytest.fixture
def plain_environment():
    """The environment of a child process: no proxies, one thread."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**kept, "OMP_NUM_THREADS": "1", "COLUMNS": "160"}


@pytest.fixture
def run(toy):
    def call(*arguments):
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return call


@dataclass(frozen=True)
class Served:
    """A real server over a store of its own."""

    address: str
    workspace: Workspace


@pytest.fixture(scope="module")
def served(toy, store_path, tmp_path_factory):
    """A real server over a copy of the archive, which a module of tests may change."""
    folder = tmp_path_factory.mktemp("served") / "store"
    shutil.copytree(store_path, folder)
    with Workspace(folder, toy.bundle.path, trust=UNSIGNED) as workspace:
        app = create_app(workspace)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        assert app.state.warm_up.wait(60)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Served(f"http://127.0.0.1:{port}", workspace)
        server.should_exit = True
        thread.join(30)


@pytest.fixture(scope="module")
def browser():
    """A browser for a file of tests. While Playwright runs, nothing else may run an event loop here."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")
    if find_chromium() is None:
        pytest.skip("needs Chromium (apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        yield launch_chromium(driver)


@dataclass(frozen=True)
class Pacs:
    """A storescp and what it has received."""

    port: int
    folder: Path

    @property
    def name(self):
        return f"ARCHIVE@127.0.0.1:{self.port}"

    def objects(self):
        """What it has, by modality."""
        return {each.Modality: each for each in map(pydicom.dcmread, self.folder.iterdir())}


@pytest.fixture
def run_pacs(tmp_path):
    """Return a function that starts a storescp of dcmtk with further options; it takes everything."""
    if shutil.which("storescp") is None:
        pytest.skip("storescp (Debian package dcmtk) is not installed")
    started = []

    def start(*options):
        folder = tmp_path / f"pacs{len(started)}"
        folder.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        words = ["storescp", "-od", folder, "-aet", "ARCHIVE", *options, port]
        with (folder.parent / f"{folder.name}.log").open("wb") as log:
            started.append(subprocess.Popen([str(word) for word in words], stdout=log, stderr=log))
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return Pacs(port, folder)
            assert time.monotonic() < deadline, "storescp does not listen"
            time.sleep(0.05)

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def pacs(run_pacs):
    return run_pacs()

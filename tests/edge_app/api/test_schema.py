"""The application keeps to its own description: requests of all kinds, made from it by schemathesis."""

import shutil
import threading
import time
import zlib

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import FailureGroup, positive_data_acceptance

from edge_retrieve.edge_app.api import create_app
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.bundle import Trust

EXAMPLES = 12  # of each operation and mode

schemathesis.openapi.format("date", st.dates().map(str))


@pytest.fixture(scope="module")
def served(toy, store_path, tmp_path_factory):
    """A real server over a copy of the archive: its address, and the names of two studies."""
    folder = tmp_path_factory.mktemp("schema") / "store"
    shutil.copytree(store_path, folder)
    with Workspace(folder, toy.bundle.path, trust=Trust(allow_unsigned=True)) as workspace:
        app = create_app(workspace)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        assert app.state.warm_up.wait(60)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", [line.study for line in workspace.store.studies(limit=2)]
        server.should_exit = True
        thread.join(30)


def with_names_that_exist(case, studies):
    """Put a stored study in place of half of the made-up ones, or almost every answer would be 404."""
    for held in (case.path_parameters, case.body if isinstance(case.body, dict) else None):
        if isinstance(held, dict) and isinstance(held.get("study"), str):
            number = zlib.crc32(held["study"].encode("utf-8", "surrogatepass"))
            if number % 2:
                held["study"] = studies[number // 2 % len(studies)]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_the_application_keeps_to_its_description(served, mode):
    address, studies = served
    described = schemathesis.openapi.from_url(f"{address}/openapi.json")
    failed, asked = [], 0
    for found in described.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy(mode))
        def keeps(case):
            nonlocal asked
            asked += 1
            with_names_that_exist(case, studies)
            # A request may be well formed and still not be answerable: a query of nothing.
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

        try:
            keeps()
        except Unsatisfiable:
            continue  # nothing can be wrong where nothing can be sent
        except (FailureGroup, AssertionError) as error:
            failed.append(f"{operation.label}: {error}")
    assert not failed, "\n\n".join(failed)
    assert asked > 5 * len(described)

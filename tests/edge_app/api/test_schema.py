"""The application keeps to its own description: requests of all kinds, made from it by schemathesis."""

import zlib

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import FailureGroup, positive_data_acceptance

EXAMPLES = 8  # of each operation and mode

schemathesis.openapi.format("date", st.dates().map(str))


def with_names_that_exist(case, studies):
    """Put a stored study in place of half of the made-up ones, or almost every answer would be 404."""
    for held in (case.path_parameters, case.body if isinstance(case.body, dict) else None):
        if isinstance(held, dict) and isinstance(held.get("study"), str):
            number = zlib.crc32(held["study"].encode("utf-8", "surrogatepass"))
            if number % 2:
                held["study"] = studies[number // 2 % len(studies)]


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_the_application_keeps_to_its_description(served, mode):
    address = served.address
    studies = [line.study for line in served.workspace.store.studies(limit=2)]
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
    assert asked > 4 * len(described)

"""Users, sessions, tokens and the throttle, without a server."""

import sqlite3
import stat

import pytest

from edge_retrieve.edge_app.access import (
    AccessDatabase,
    AccountError,
    Accounts,
    Role,
    TooManyAttemptsError,
)
from edge_retrieve.edge_app.access.sessions import Sessions
from edge_retrieve.edge_app.access.throttle import FREE_PER_ADDRESS, FREE_PER_USER, WINDOW_S, Throttle
from edge_retrieve.runtime.errors import StoreError

PASSWORD = "correct horse battery"


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def database(tmp_path):
    with AccessDatabase(tmp_path / "site" / "access.sqlite") as opened:
        yield opened


@pytest.fixture
def accounts(database):
    return Accounts(database)


def test_a_user_is_known_by_name_and_password_alone(accounts):
    account = accounts.add("Rita", PASSWORD, Role.READER)
    assert account.name == "rita"
    assert accounts.verify("RITA", PASSWORD) == account
    assert accounts.verify("rita", PASSWORD + "!") is None
    assert accounts.verify("otto", PASSWORD) is None


def test_passwords_are_kept_as_argon2id_digests_for_the_owners_eyes(database, accounts, tmp_path):
    accounts.add("rita", PASSWORD, Role.READER)
    accounts.add("otto", PASSWORD, Role.READER)
    with database.reading() as db:
        digests = [digest for (digest,) in db.execute("SELECT password FROM users")]
    assert all(digest.startswith("$argon2id$") for digest in digests)
    assert len(set(digests)) == 2  # salted
    for path in (tmp_path / "site").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert PASSWORD.encode() not in path.read_bytes()


def test_a_digest_costs_what_rfc_9106_recommends(cheap_digests):
    """Its second recommended option: 64 MiB, three passes, four lanes."""
    assert "$argon2id$v=19$m=65536,t=3,p=4$" in cheap_digests().hash(PASSWORD)


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaaa", "x" * 2000, "12rita34567890"])
def test_a_password_not_worth_having_is_refused_with_the_reason(accounts, password):
    with pytest.raises(AccountError, match="not taken") as caught:
        accounts.add("rita", password, Role.READER)
    assert password not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "../x", "rita\n", "-x", "x" * 65, "é"])
def test_a_name_that_is_none_is_refused(accounts, name):
    with pytest.raises(AccountError, match="no name"):
        accounts.add(name, PASSWORD, Role.READER)


def test_a_name_is_given_once(accounts):
    accounts.add("rita", PASSWORD, Role.READER)
    with pytest.raises(AccountError, match="already"):
        accounts.add("RITA", PASSWORD, Role.ADMIN)


def test_somebody_is_left_to_administer(accounts):
    accounts.add("ada", PASSWORD, Role.ADMIN)
    accounts.add("rita", PASSWORD, Role.READER)
    for change in (lambda: accounts.remove("ada"), lambda: accounts.change("ada", role=Role.READER)):
        with pytest.raises(AccountError, match="administer"):
            change()
    assert accounts.get("ada").role is Role.ADMIN
    accounts.remove("rita")
    accounts.remove("ada")
    assert not accounts.any()


def test_a_session_ends_when_idle_and_when_old(database, accounts, clock):
    accounts.add("rita", PASSWORD, Role.READER)
    sessions = Sessions(database, idle_s=600, longest_s=3600, clock=clock)
    secret = sessions.begin("rita").secret
    for _ in range(6):
        clock.now += 590
        assert sessions.find(secret) is not None
    clock.now += 61  # an hour after the log-in, though never idle
    assert sessions.find(secret) is None
    secret = sessions.begin("rita").secret
    clock.now += 601
    assert sessions.find(secret) is None
    # And it stays ended if the clock is set back.
    clock.now -= 601
    assert sessions.find(secret) is None


def test_what_is_kept_of_a_session_opens_nothing(database, accounts, tmp_path):
    accounts.add("rita", PASSWORD, Role.READER)
    session = Sessions(database, 600, 3600).begin("rita")
    files = b"".join(path.read_bytes() for path in (tmp_path / "site").iterdir())
    assert session.secret.encode() not in files


def test_another_password_ends_sessions(database, accounts):
    accounts.add("rita", PASSWORD, Role.READER)
    sessions = Sessions(database, 600, 3600)
    secret = sessions.begin("rita").secret
    accounts.set_password("rita", PASSWORD + " 2")
    assert sessions.find(secret) is None


def fail(throttle, user, address):
    with throttle.attempt(user, address):
        pass


def succeed(throttle, user, address):
    with throttle.attempt(user, address) as attempt:
        attempt.succeeded = True


def test_failures_of_a_user_wait_longer_and_longer(database, clock):
    throttle = Throttle(database, clock)
    waits = []
    for n in range(FREE_PER_USER + 4):
        try:
            fail(throttle, "rita", f"10.0.0.{n}")
        except TooManyAttemptsError as error:
            waits.append(error.wait_s)
            clock.now += error.wait_s
            fail(throttle, "rita", f"10.0.0.{n}")
    assert waits == [15, 30, 60, 120]
    clock.now += WINDOW_S
    fail(throttle, "rita", "10.0.0.1")


def test_an_address_that_tries_many_names_waits_too(database, clock):
    throttle = Throttle(database, clock)
    for n in range(FREE_PER_ADDRESS):
        fail(throttle, f"user{n}", "10.0.0.1")
    with pytest.raises(TooManyAttemptsError):
        fail(throttle, "another", "10.0.0.1")
    fail(throttle, "another", "10.0.0.2")


def test_success_forgives_a_users_failures(database, clock):
    throttle = Throttle(database, clock)
    for _ in range(3):
        fail(throttle, "rita", "10.0.0.9")
    succeed(throttle, "rita", "10.0.0.9")
    for _ in range(FREE_PER_USER):
        fail(throttle, "rita", "10.0.0.9")
    with pytest.raises(TooManyAttemptsError):
        succeed(throttle, "rita", "10.0.0.9")


def test_another_programs_file_is_left_alone(tmp_path):
    path = tmp_path / "access.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (x)")
    db.close()
    with pytest.raises(StoreError, match="not a file of users"):
        AccessDatabase(path)
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match="cannot be used"):
        AccessDatabase(path)

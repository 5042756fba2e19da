"""The unit that is written, as systemd reads it, and the server under the limits it sets."""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from edge_retrieve.edge_app.deploy.systemd import SYSUSERS_NAME, quoted

STORE = "/var/lib/edge-retrieve/store"
MOST_EXPOSED = 1.5  # of 10; systemd calls what is below 2 "OK"

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (Debian package systemd)"
)


@pytest.fixture
def write(run, tmp_path):
    """Return a function that writes a unit and returns its path."""

    def call(*options, serve=("--store", STORE)):
        result = run("deploy", "systemd", tmp_path / "unit", *options, "--json", "--", *serve)
        assert result.exit_code == 0, result.output
        unit, users = json.loads(result.stdout)["files"]
        assert Path(users).is_file()
        return Path(unit)

    return call


def settings(unit):
    """Return the unit's settings; what is given twice is joined."""
    found = {}
    for line in unit.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found[name] = f"{found[name]} {value}" if name in found else value
    return found


@needs_systemd
@pytest.mark.parametrize(
    "serve",
    [
        ("--store", STORE),
        ("--store", STORE, "--bundle", "/srv/50% of $HOME/bundle", "--port", "8443", "--drain-seconds", "60"),
    ],
)
def test_systemd_finds_no_fault(write, serve):
    unit = write(serve=serve)
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    about_ours = [line for line in checked.stderr.splitlines() if "edge-retrieve" in line]
    assert (checked.returncode, about_ours) == (0, [])


@needs_systemd
def test_the_service_is_hardly_exposed(write):
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(write())]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Overall exposure" not in told.stdout:
        pytest.skip(f"this systemd does not rate unit files: {told.stderr.strip()}")
    score = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", told.stdout)[1])
    assert score <= MOST_EXPOSED, told.stdout


def test_it_runs_this_installation_with_the_options_given(write):
    command = settings(write(serve=("--store", STORE, "--port", "9000")))["ExecStart"]
    program, *words = command.split()
    assert os.access(program, os.X_OK)
    assert words == ["serve", "--store", STORE, "--port", "9000"]


def test_time_to_end_follows_the_drain(write):
    assert settings(write())["TimeoutStopSec"] == "45"
    assert settings(write(serve=("--store", STORE, "--drain-seconds", "100")))["TimeoutStopSec"] == "115"


def test_nothing_leaves_the_machine_but_where_it_may(write):
    found = settings(write())
    assert (found["IPAddressDeny"], found["IPAddressAllow"]) == ("any", "localhost")
    assert found["User"] not in ("root", "")
    there = settings(write("--allow", "10.1.0.0/16", serve=("--store", STORE, "--host", "10.1.2.3")))
    assert there["IPAddressAllow"] == "localhost 10.1.0.0/16"


def test_those_it_calls_may_be_named_or_be_this_machine(write):
    there = ("--allow", "10.1.0.0/16", "--allow", "10.9.9.9")
    serve = ("--store", STORE, "--pacs", "ARCHIVE@10.1.2.3:104,OTHER@pacs.hospital:104")
    assert settings(write(*there, serve=serve))["IPAddressAllow"] == "localhost 10.1.0.0/16 10.9.9.9"
    here = ("--pacs", "ARCHIVE@127.0.0.1:104", "--llm", "http://localhost:8000/v1", "--llm-model", "m")
    assert settings(write(serve=("--store", STORE, *here)))["IPAddressAllow"] == "localhost"


def test_a_store_elsewhere_may_be_written(write):
    assert "ReadWritePaths" not in settings(write())
    assert settings(write(serve=("--store", "/srv/cases")))["ReadWritePaths"] == "/srv/cases"


def test_folders_of_the_options_may_be_written_and_no_others(write):
    serve = ("--store", STORE, "--drop-folder", "/srv/drop", "--trusted-keys", "/etc/edge-retrieve/keys")
    assert settings(write(serve=serve))["ReadWritePaths"] == "/srv/drop"


def test_a_path_is_written_as_systemd_reads_a_list_of_paths(write):
    # In a command line `$$` stands for `$`; in a list of paths nothing does.
    found = settings(write(serve=("--store", "/srv/50% of $HOME")))
    assert found["ReadWritePaths"] == '"/srv/50%% of $HOME"'
    assert '"/srv/50%% of $$HOME"' in found["ExecStart"]


def test_the_steps_make_the_folders_that_are_missing_and_leave_the_others(run, tmp_path):
    drop, copies = tmp_path / "drop", tmp_path / "my copies"
    drop.mkdir(mode=0o777)
    drop.chmod(0o777)  # others write there
    serve = ("--store", f"{tmp_path}/store", "--drop-folder", drop, "--backup-folder", copies)
    user = pwd.getpwuid(os.geteuid()).pw_name
    result = run("deploy", "systemd", tmp_path / "unit", "--user", user, "--json", "--", *map(str, serve))
    (step,) = [step for step in json.loads(result.stdout)["steps"] if "install -d" in step]
    assert f"in /var/lib/edge-retrieve {tmp_path}/store" in step
    step = step.replace("/var/lib/edge-retrieve", f"{tmp_path}/state")
    step = step.replace(f"-g {user}", f"-g {grp.getgrgid(os.getegid()).gr_name}")
    subprocess.run(["bash", "-euc", step], check=True)
    modes = {
        path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir() if path.name != "unit"
    }
    assert modes == {"state": "0o700", "store": "0o700", "my copies": "0o700", "drop": "0o777"}


def test_the_service_and_the_commands_of_its_user_share_a_cache(write):
    unit = write()
    home = dict(word.partition("=")[::2] for word in settings(unit)["Environment"].split())
    (user,) = (line for line in unit.with_name(SYSUSERS_NAME).read_text().splitlines() if line[0] == "u")
    assert home["HOME"] == user.split()[-1]
    assert "XDG_CACHE_HOME" not in home


def test_a_port_below_1024_takes_one_capability(write):
    assert settings(write())["AmbientCapabilities"] == ""
    found = settings(write(serve=("--store", STORE, "--port", "443")))
    assert found["AmbientCapabilities"] == found["CapabilityBoundingSet"] == "CAP_NET_BIND_SERVICE"
    assert "PrivateUsers" not in found


def test_a_gpu_opens_its_devices_and_no_more(write):
    without, with_gpu = settings(write()), settings(write("--gpu"))
    assert without["PrivateDevices"] == "yes"
    assert "nvidia" in with_gpu["DeviceAllow"]
    assert with_gpu["DevicePolicy"] == "closed"
    assert "MemoryDenyWriteExecute" not in with_gpu  # CUDA compiles its kernels


@pytest.mark.parametrize(
    ("options", "serve", "told"),
    [
        ((), ("--store", "store"), "Give the whole path"),
        ((), ("--store", "/home/someone/store"), "nobody's home"),
        ((), ("--store", STORE, "--bundle", "/root/bundle"), "nobody's home"),
        ((), ("--store", STORE, "--host", "10.1.2.3"), "nobody may reach it"),
        (
            (),
            ("--store", STORE, "--dicom-port", "104", "--dicom-host", "0.0.0.0", "--dicom-callers", "CR1"),
            "nobody may reach it",
        ),
        ((), ("--store", STORE, "--drop-folder", "/home/ward/drop"), "nobody's home"),
        ((), ("--store", STORE, "--pacs", "ARCHIVE@10.1.2.3:104"), "to call 10.1.2.3"),
        (
            ("--allow", "10.2.0.0/16"),
            ("--store", STORE, "--pacs", "ARCHIVE@10.1.2.3:104"),
            "to call 10.1.2.3",
        ),
        ((), ("--store", STORE, "--pacs", "ARCHIVE@pacs.hospital:104"), "to call pacs.hospital"),
        ((), ("--store", STORE, "--llm", "http://10.1.2.3:8000/v1", "--llm-model", "m"), "to call 10.1.2.3"),
        (("--user", "a b;c"), ("--store", STORE), "'a b;c' is no name for a user"),
        (("--user", "root\nUser=root"), ("--store", STORE), "is no name for a user"),
        (("--allow", "the ward"), ("--store", STORE), "'the ward' is no network"),
        ((), ("--store", STORE, "--port", "0"), "needs a port of its own"),
        ((), ("--store", STORE, "--prot", "80"), "No such option"),
        ((), (), "--store"),
    ],
)
def test_what_could_not_work_is_refused(run, tmp_path, options, serve, told):
    result = run("deploy", "systemd", tmp_path / "unit", *options, "--", *serve)
    assert result.exit_code == 2, result.output
    assert told in result.stderr
    assert not (tmp_path / "unit").exists()


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("--port", "--port"),
        ("/srv/my store", '"/srv/my store"'),
        ('say "x"', '"say \\"x\\""'),
        ("50%", "50%%"),  # % begins a specifier
        ("$HOME", "$$HOME"),  # $ a variable
        ("", '""'),
    ],
)
def test_words_are_written_as_systemd_reads_them(word, written):
    assert quoted(word) == written


LIMITED = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1
if libc.prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0):
    raise SystemExit(77)
os.umask(0o077)
sys.argv = ["edge-retrieve", *sys.argv[1:]]
from edge_retrieve.edge_app.cli import main
main()
"""


USER = ["setpriv", "--reuid", "10001", "--regid", "10001", "--clear-groups", "--no-new-privs"]
USER += ["--bounding-set=-all", "--inh-caps=-all"]
READY = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/readyz').read().decode())"
SCRIPT = """
ip link set lo up
"$@" &
server=$!
for _ in $(seq 200); do
  "$PYTHON" -c "$READY" 2>/dev/null && break
  kill -0 $server || break
  sleep 0.1
done
kill -TERM $server; wait $server; echo "ended $?"
"""


@pytest.fixture
def home(toy, store_path):
    """The home of the user 10001, with the small archive and its bundle."""
    if os.geteuid() or not all(map(shutil.which, ("setpriv", "unshare", "ip"))):
        pytest.skip("needs root, setpriv, unshare and ip to set the limits")
    # As an ordinary user: pytest's own folders are root's alone, and so may be this checkout.
    tried = subprocess.run([*USER, sys.executable, "-c", "import numpy"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"another user cannot run {sys.executable}: {tried.stderr.decode().strip()}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        shutil.copytree(store_path, path / "store")
        shutil.copytree(toy.bundle.path, path / "bundle")
        for item in (path, *path.rglob("*")):
            os.chown(item, 10001, 10001)
        yield path


def test_it_serves_with_no_code_made_at_run_time_no_privilege_and_no_way_out(home, plain_environment):
    """What the unit forbids, forbidden by hand: memory that becomes executable, capabilities, the network."""
    serve = ["serve", "--store", home / "store", "--bundle", home / "bundle", "--allow-unsigned"]
    command = [*USER, sys.executable, "-c", LIMITED, *map(str, serve), "--backend", "cpu"]
    told = subprocess.run(
        ["unshare", "--net", "sh", "-c", SCRIPT, "sh", *command],
        capture_output=True,
        text=True,
        check=False,
        env={**plain_environment, "HOME": str(home), "PYTHON": sys.executable, "READY": READY},
        timeout=60,
    )
    if "ended 77" in told.stdout:
        pytest.skip("this kernel cannot forbid it (prctl PR_SET_MDWE, Linux 6.3)")
    if told.returncode and "unshare" in told.stderr:
        pytest.skip(f"no network namespace can be made here: {told.stderr.strip()}")
    assert '"ready"' in told.stdout, told.stdout + told.stderr
    assert told.stdout.rstrip().endswith("ended 0"), told.stdout + told.stderr

"""No command pays for what another needs, or fails where that is not installed."""

import os
import subprocess
import sys

from click.testing import CliRunner

from edge_retrieve.edge_app.cli import lazy, main
from edge_retrieve.edge_app.cli.group import SafeGroup

ABSENT = """
import sys
for name in {absent!r}:
    sys.modules[name] = None  # as if it were not installed
from click.testing import CliRunner

from edge_retrieve.edge_app.cli import lazy, main
from edge_retrieve.edge_app.cli.group import SafeGroup
main()
"""
SERVER = ("fastapi", "starlette", "uvicorn", "pydantic", "prometheus_client", "argon2")


def run(*words, absent=()):
    return subprocess.run(
        [sys.executable, "-c", ABSENT.format(absent=absent), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_the_version_is_told_without_loading_anything():
    code = (
        "import sys\n"
        "from edge_retrieve.edge_app.cli import main\n"
        "try:\n main(['--version'])\n"
        "except SystemExit:\n print(sorted({'numpy', 'PIL', 'pydicom', 'fastapi'} & set(sys.modules)))"
    )
    told = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert told.splitlines()[-1] == "[]"


def test_without_the_server_the_rest_works():
    done = run("bundle", "show", "--json", absent=SERVER)
    assert done.returncode == 0, done.stderr
    refused = run("serve", "--store", "somewhere", "--port", "0", absent=SERVER)
    assert refused.returncode == 1
    assert 'pip install "edge-retrieve[app]"' in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_list_of_commands_is_whole_whatever_is_installed():
    listed = run("--help", absent=(*SERVER, "pynetdicom", "highdicom", "dicomweb_client", "cv2"))
    assert listed.returncode == 0, listed.stderr
    names = {
        line.split()[0] for line in listed.stdout.partition("Commands:")[2].splitlines() if line[2:3].strip()
    }
    assert names == set(main.commands)


def test_a_command_that_cannot_be_loaded_says_what_to_install(monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(f"No module named 'fastapi', for {name}", name="fastapi")

    monkeypatch.setattr(lazy, "import_module", absent)
    group = SafeGroup("edge-retrieve")
    group.commands = lazy.LazyCommands({"serve": "serve", "bench": "bench"})
    listed = CliRunner().invoke(group, ["--help"])
    assert listed.exit_code == 0
    assert listed.stdout.count("Not here: ") == 2
    refused = CliRunner().invoke(group, ["serve", "--store", "somewhere", "more"])
    assert (refused.exit_code, 'pip install "edge-retrieve[app]"' in refused.stderr) == (1, True)


def test_a_command_that_does_not_exist_is_wrong_use():
    done = run("sevre")
    assert done.returncode == 2
    assert "No such command 'sevre'" in done.stderr

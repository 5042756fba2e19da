"""The compose file and the image's file, read as what they are."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from edge_retrieve.edge_app.cli import main


@pytest.fixture
def written(run, tmp_path):
    """Return a function that writes the files and returns the service, the document and the Dockerfile."""

    def call(*options, serve=("--store", "/srv/cases/store", "--port", "9000")):
        result = run("deploy", "compose", tmp_path / "out", *options, "--json", "--", *serve)
        assert result.exit_code == 0, result.output
        compose, image = map(Path, json.loads(result.stdout)["files"])
        document = yaml.safe_load(compose.read_text())
        return document["services"]["edge-retrieve"], document, image.read_text()

    return call


def test_it_is_an_ordinary_user_on_a_file_system_it_cannot_write(written):
    service, _, image = written()
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "network_mode", "pid", "ipc"} & set(service)
    assert "--uid 10001" in image
    assert re.search(r"^USER edge$", image, re.MULTILINE)


def test_one_port_is_published_on_this_machine_and_nothing_leaves(written):
    service, document, _ = written()
    assert service["ports"] == ["127.0.0.1:9000:9000"]
    assert service["networks"] == ["closed"]
    options = document["networks"]["closed"]["driver_opts"]
    assert options["com.docker.network.bridge.enable_ip_masquerade"] == "false"
    assert service["build"]["network"] == "none"
    assert written("--publish", "fd00::1")[0]["ports"] == ["[fd00::1]:9000:9000"]


def test_the_store_and_the_bundle_are_mounted_where_the_command_looks(written):
    service, _, _ = written(
        serve=(
            "--store=/srv/cases/store",
            "--bundle",
            "/srv/bundle",
            "--max-hits",
            "20",
            "--host",
            "127.0.0.1",
        )
    )
    assert service["volumes"] == ["/srv/cases:/data", "/srv/bundle:/bundle:ro"]
    words = service["command"]
    assert words[0] == "serve"
    context = main.commands["serve"].make_context("serve", words[1:])
    assert str(context.params["store_path"]) == "/data/store"
    assert str(context.params["bundle_path"]) == "/bundle"
    assert (context.params["host"], context.params["max_hits"]) == ("0.0.0.0", 20)


def test_a_dicom_port_and_certificates_come_along(written):
    serve = ("--store", "/srv/s", "--port", "9000", "--dicom-port", "11112", "--dicom-callers", "CR1")
    service, _, _ = written(serve=(*serve, "--tls-cert", "/etc/tls/cert.pem", "--drop-folder", "/srv/drop"))
    assert service["ports"] == ["127.0.0.1:9000:9000", "127.0.0.1:11112:11112"]
    assert service["volumes"] == [
        "/srv:/data",
        "/srv/drop:/srv/drop",
        "/etc/tls/cert.pem:/etc/tls/cert.pem:ro",
    ]
    assert service["command"][service["command"].index("--dicom-host") + 1] == "0.0.0.0"
    assert "https://127.0.0.1:9000/readyz" in service["healthcheck"]["test"][3]


def test_its_health_is_asked_where_it_listens(written):
    service, _, _ = written(serve=("--store", "/srv/s", "--port", "9000", "--root-path", "/xray"))
    assert "http://127.0.0.1:9000/xray/readyz" in service["healthcheck"]["test"][3]
    compile(service["healthcheck"]["test"][3], "healthcheck", "exec")


def test_it_may_end_in_peace(written):
    assert written()[0]["stop_grace_period"] == "45s"


def test_the_image_is_built_from_the_wheelhouse_alone(written):
    _, _, image = written("--base", "registry.hospital/python:3.11")
    assert "ARG BASE=registry.hospital/python:3.11" in image
    (install,) = re.findall(r"pip install (.*?)&&", image.replace("\\\n", " "), re.DOTALL)
    assert {"--no-index", "--require-hashes"} <= set(install.split())
    assert "apt-get" not in image
    # What is started by default is a command the application has.
    (command,) = re.findall(r"^CMD (.*)$", image, re.MULTILINE)
    main.commands["serve"].make_context("serve", json.loads(command)[1:])


@pytest.mark.parametrize(
    ("options", "serve", "told"),
    [
        ((), ("--store", "/store"), "the whole file system"),
        ((), ("--store", "cases/store"), "Give the whole path"),
        ((), ("--store", "/srv/cases/store", "--bundle", "bundle"), "Give the whole path"),
        ((), ("--store", "/srv/s", "--pacs", "ARCHIVE@10.1.2.3:104"), "reaches out of its container"),
        (
            (),
            ("--store", "/srv/s", "--llm", "http://127.0.0.1:1/v1", "--llm-model", "m"),
            "to call 127.0.0.1",
        ),
        (("--base", "python:3.11\nUSER root"), ("--store", "/srv/cases/store"), "no name of an image"),
        (("--base", ""), ("--store", "/srv/cases/store"), "no name of an image"),
    ],
)
def test_what_would_open_the_machine_is_refused(run, tmp_path, options, serve, told):
    result = run("deploy", "compose", tmp_path / "out", *options, "--", *serve)
    assert result.exit_code == 2, result.output
    assert told in result.stderr
    assert not (tmp_path / "out").exists()


def test_the_steps_give_it_its_own_folders_and_no_others(run, tmp_path):
    serve = ("--store", "/var/lib/my cases", "--drop-folder", "/srv/drop", "--bundle", "/srv/bundle")
    result = run("deploy", "compose", tmp_path / "out", "--json", "--", *serve)
    (step,) = [step for step in json.loads(result.stdout)["steps"] if "chown" in step]
    _, _, owned = step.partition("chown -R 10001:10001 ")
    assert shlex.split(owned) == ["/var/lib/my cases", "/var/lib/cache", "/srv/drop"]


def test_no_place_is_left_unfilled(written):
    _, document, image = written()
    assert "{{" not in json.dumps(document) + image

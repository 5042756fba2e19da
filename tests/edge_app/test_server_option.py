"""query, explain, ground and studies, asked of a running server and of its store: the same answers."""

import json

import pytest

ZONE = "right upper lung zone"


def printed(done):
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


QUESTIONS = [
    ("--text", "nodule", "--region", ZONE, "-k", 3),
    ("--region", f"{ZONE}=2", "--region", "left lung=0.5", "--combine", "weighted", "--one-per-patient"),
    ("--region", ZONE, "--region", "left lung", "--combine", "all"),
    ("--box", "8,0,16,8=3", "--side", "image", "--min-score", "0.1", "--offset", 1),
    ("--text", "nodule", "--fusion", "0,0,0.5,0.5", "--finding", "nodule", "--view", "unknown"),
    ("--same-patient", "--date-from", "2030-01-01", "--age-to", "50", "--sex", "f", "--exclude-patient", "x"),
]


@pytest.mark.parametrize("asked", QUESTIONS)
def test_a_server_answers_as_its_store_does(run, served, toy, query_image, asked):
    image = [] if asked[0] == "--text" else [query_image]
    model = ("--bundle", toy.bundle.path, "--allow-unsigned")
    local = run("query", *image, "--store", served.workspace.store.path, *model, *asked, "--json")
    remote = run("query", *image, "--server", served.address, *asked, "--json")
    assert printed(remote) == printed(local)


def test_the_table_is_the_same(run, served, toy):
    asked = ("--text", "nodule", "--region", ZONE)
    model = ("--bundle", toy.bundle.path, "--allow-unsigned")
    local = run("query", "--store", served.workspace.store.path, *model, *asked)
    remote = run("query", "--server", served.address, *asked)
    assert remote.stdout == local.stdout
    assert ZONE in remote.stdout


@pytest.mark.parametrize(
    "asked", [(), ("--search", "nodule"), ("--limit", 2, "--offset", 3), ("--date-from", "2020-01-01")]
)
def test_the_worklist_is_the_same(run, served, asked):
    local = printed(run("studies", "--store", served.workspace.store.path, *asked, "--json"))
    assert printed(run("studies", "--server", served.address, *asked, "--json")) == local
    table = run("studies", "--server", served.address, *asked).stdout
    assert f"of {local['total']} studies." in table


def test_the_worklist_says_where_it_goes_on(run, served):
    assert "More: --offset 2" in run("studies", "--server", served.address, "--limit", 2).stdout


EXPLAINED = [
    ("--region", ZONE, "--counterfactual"),
    ("--box", "8,0,16,8", "--counterfactual"),
    ("--text", "nodule", "--region", f"{ZONE}=2", "--region", "left lung", "-k", 3, "--view", "unknown"),
    (),
]


@pytest.mark.parametrize("asked", EXPLAINED)
@pytest.mark.parametrize("of", ["file", "study"])
def test_a_server_explains_as_its_store_does(run, served, toy, query_image, of, asked):
    subject = query_image if of == "file" else served.workspace.store.studies(limit=1)[0].study
    model = ("--bundle", toy.bundle.path, "--allow-unsigned")
    local = run("explain", subject, "--store", served.workspace.store.path, *model, *asked, "--json")
    remote = run("explain", subject, "--server", served.address, *asked, "--json")
    assert printed(remote) == printed(local)
    assert bool(printed(remote)["counterfactuals"]) == ("--counterfactual" in asked)
    texts = [
        run("explain", subject, *source, *asked).stdout
        for source in (("--store", served.workspace.store.path, *model), ("--server", served.address))
    ]
    assert texts[0] == texts[1]
    assert "PRELIMINARY" in texts[0]


def test_the_page_of_a_server_is_that_of_its_store(run, served, toy, query_image, tmp_path):
    model = ("--bundle", toy.bundle.path, "--allow-unsigned")
    asked = ("explain", query_image, "--region", ZONE, "--html")
    pages = []
    for name, source in (
        ("local", ("--store", served.workspace.store.path, *model)),
        ("remote", ("--server", served.address)),
    ):
        done = run(*asked, tmp_path / name, *source)
        assert done.exit_code == 0, done.output
        pages.append((tmp_path / name).read_text())
    assert pages[0] == pages[1]
    assert pages[1].count("data:image/png") > 2


SAID = "FINDINGS: Small nodule. No pleural effusion. The heart is normal. Follow-up of a cough."


@pytest.mark.parametrize("beside", ["", "file", "study"])
def test_a_server_grounds_as_its_model_does(run, served, toy, query_image, archive, tmp_path, beside):
    store, address = served.workspace.store, served.address
    other = {"file": archive / "case0.png", "study": store.studies(limit=1)[0].study}.get(beside)
    asked = ("ground", query_image, "--text", SAID, *(("--beside", other) if other else ()))
    here = ("--bundle", toy.bundle.path, "--allow-unsigned", *(("--store", store.path) if other else ()))
    told = []
    for name, source in (("local", here), ("remote", ("--server", address))):
        text = run(*asked, *source)
        assert text.exit_code == 0, text.output
        document = printed(run(*asked, *source, "--out", tmp_path / name, "--json"))
        files = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        told.append((text.stdout, document, files))
    assert told[0] == told[1]
    assert told[0][1]["sentences"][0]["ground"] == "seen"
    assert len(told[0][2]) == (3 if other else 2)


def test_what_cannot_be_grounded_there_is_told(run, served, query_image, tmp_path):
    asked = ("ground", query_image, "--server", served.address)
    nobody = run(*asked, "--text", "nodule", "--beside", "nobody")
    assert (nobody.exit_code, "nobody" in nobody.stderr) == (1, True)
    both = run(*asked, "--text", "nodule", "--store", tmp_path)
    assert (both.exit_code, "the server decides this" in both.stderr) == (2, True)
    token = run("ground", query_image, "--text", "nodule", "--token-file", tmp_path / "t")
    assert (token.exit_code, "--server" in token.stderr) == (2, True)


@pytest.mark.parametrize(
    "given",
    [("--votes", "a.json"), ("--task", "diagnosis"), ("--llm", "http://127.0.0.1:9/v1"), ("--bundle", "b")],
)
def test_what_the_server_decides_cannot_be_asked_for(run, served, query_image, given):
    done = run("explain", query_image, "--server", served.address, *given)
    assert done.exit_code == 2
    assert given[0] in done.stderr
    assert "the server decides this" in done.stderr


def test_what_the_server_does_not_hold_is_told(run, served):
    done = run("explain", "nobody", "--server", served.address)
    assert (done.exit_code, "Traceback" in done.output) == (1, False)
    assert "nobody" in done.stderr


@pytest.mark.parametrize("command", ["query", "studies", "explain x"])
def test_a_store_or_a_server_is_needed_not_both(run, served, command):
    words = command.split()
    both = run(*words, "--store", served.workspace.store.path, "--server", served.address)
    for done in (run(*words), both):
        assert done.exit_code == 2
        assert "either --store or --server" in done.stderr


@pytest.mark.parametrize("command", ["query", "studies"])
def test_a_token_is_for_a_server(run, store_path, tmp_path, command):
    done = run(command, "--store", store_path, "--token-file", tmp_path / "token")
    assert (done.exit_code, "--token-file with --server" in done.stderr) == (2, True)


def test_errors_of_the_server_end_the_command_with_its_words(run, served, tmp_path):
    done = run("query", "--server", served.address, "--text", "nodule", "--box", "0,0,5,5")
    assert (done.exit_code, "Traceback" in done.stderr) == (2, False)
    assert "box" in done.stderr
    nobody = run("studies", "--server", "http://127.0.0.1:9")
    assert (nobody.exit_code, "does not answer" in nobody.stderr) == (1, True)
    wrong = run("studies", "--server", "here")
    assert (wrong.exit_code, "http://127.0.0.1:8080" in wrong.stderr) == (2, True)
    no_token = run("studies", "--server", served.address, "--token-file", tmp_path / "none")
    assert (no_token.exit_code, "token cannot be read" in no_token.stderr) == (2, True)

"""What operators do on the page: send results to a PACS, look after what was set aside."""

import shutil
import socket
import time

import pytest

from edge_retrieve.edge_app.bench.serving import serving
from edge_retrieve.edge_app.dicom_node.opening import open_node
from edge_retrieve.edge_app.dicom_node.quarantine import Fault, quarantined, set_aside
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.bundle import Trust

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")
expect = playwright.expect
TAKEN = "ARCHIVE has taken 3 objects: sr.dcm, gsps.dcm, sc.dcm."
A_WHILE_MS = 60_000  # the objects are made by libraries that are loaded for the first one


@pytest.fixture
def sending(demo_store, pacs, tmp_path, open_room):
    """The page of a server over the demonstration that may send to an archive, and to one that is gone."""
    shutil.copytree(demo_store, tmp_path / "store")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gone = listener.getsockname()[1]
    settings = ServerSettings(pacs=f"{pacs.name}, GONE@127.0.0.1:{gone}")
    with Workspace(tmp_path / "store") as workspace, serving(workspace, settings) as address:
        yield open_room(address, side=256)


def test_results_are_sent_as_preliminary_and_after_acceptance_as_final(sending, pacs, telling, contrast):
    room, page = sending, sending.page
    room.answered(telling)
    room.open_tab("draft", ".words")
    buttons = page.locator("#send button")
    assert buttons.all_inner_texts() == ["Send to ARCHIVE", "Send to GONE"]
    buttons.first.focus()
    page.keyboard.press("Enter")
    told = page.locator("#draft-status")
    expect(told).to_have_text(TAKEN, timeout=A_WHILE_MS)
    expect(buttons.first).to_be_enabled()
    assert pacs.objects()["SR"].PreliminaryFlag == "PRELIMINARY"
    for file in pacs.folder.iterdir():
        file.unlink()
    page.fill("#accept-name", "Reader^Rita")
    page.fill("#accept-organization", "General Hospital")
    page.click("#accept-form .primary")
    page.wait_for_selector("#draft.accepted")
    words = page.locator("#draft .words").first.inner_text()
    buttons.first.click()
    expect(told).to_have_text(TAKEN, timeout=A_WHILE_MS)
    report = pacs.objects()["SR"]
    assert report.VerificationFlag == "VERIFIED"
    assert words in report.to_json()
    buttons.nth(1).click()
    expect(told).to_contain_text("Sending to GONE failed", timeout=A_WHILE_MS)
    expect(told).to_contain_text("nothing listens")
    assert page.evaluate(contrast) == []


def test_without_a_destination_there_is_no_such_button(demo, telling):
    demo.answered(telling)
    demo.open_tab("draft", ".words")
    assert demo.page.locator("#leave [data-kind=all]").is_visible()
    assert demo.page.locator("#send").is_hidden()
    assert demo.page.locator("#quarantine-button").is_hidden()


@pytest.fixture
def receiving(toy, store_path, tmp_path, open_room):
    """The page of a server that has set two objects aside, and its spool."""
    shutil.copytree(store_path, tmp_path / "store")
    trust, settings = Trust(allow_unsigned=True), ServerSettings(dicom_web=True)
    with Workspace(tmp_path / "store", toy.bundle.path, trust=trust) as workspace:
        node = open_node(workspace, settings)
        for reason in ("it is truncated", "it shows a hand"):
            set_aside(node.spool, node.spool.put([b"bad"]), Fault.UNUSABLE, reason, "ROOM1")
        with node, serving(workspace, settings, node) as address:
            yield open_room(address), node.spool


def test_what_was_set_aside_is_tried_again_and_deleted_by_keyboard(receiving, contrast):
    room, spool = receiving
    page = room.page
    expect(page.locator("#quarantine-count")).to_have_text("2")
    page.focus("#quarantine-button")
    page.keyboard.press("Enter")
    expect(page.locator("#quarantine")).to_be_visible()
    lines = page.locator("#quarantine-list .held")
    expect(lines).to_have_count(2)
    expect(lines.first).to_contain_text("it is truncated")
    expect(lines.first).to_contain_text("from ROOM1")
    assert page.evaluate(contrast) == []
    told = page.locator("#quarantine-status")
    # Deleted only when asked twice.
    lines.first.get_by_role("button", name="Delete").focus()
    page.keyboard.press("Enter")
    assert len(quarantined(spool)) == 2
    page.keyboard.press("Enter")
    expect(told).to_have_text("It is deleted.")
    (left,) = quarantined(spool)
    assert left.reason == "it shows a hand"
    expect(lines).to_have_count(1)
    # The first button of what is left has the focus: it is tried again, and comes back as what it is.
    page.keyboard.press("Enter")
    expect(told).to_have_text("It will be tried again.")
    deadline = time.monotonic() + 20
    while not quarantined(spool):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    page.keyboard.press("Escape")
    expect(page.locator("#quarantine")).to_be_hidden()
    page.keyboard.press("Enter")  # the focus is back on the button
    expect(page.locator("#quarantine")).to_be_visible()
    expect(lines).to_have_count(1)
    page.click("#quarantine-all")
    expect(told).to_have_text("1 object will be tried again.")

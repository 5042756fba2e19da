"""X-rays sent by many associations at once, damaged ones among them, while the server is killed.

    python benchmarks/dicom_load.py [--objects 500] [--associations 8] [--malformed 50] [--kills 1]
        [--singles 30] [--pixels 1024] [--seed 0] [--dir D] [--tiny] [--json] [--out FILE]

A real server (``edge-retrieve serve --dicom-port``) with a fresh store and the demo bundle takes in copies of
rendered phantoms (synthetic), each with pixels and identifiers of its own. First ``--singles`` of them come
one at a time: how long from the C-STORE request until a query finds the study? Then all the others come over
``--associations`` at once, ``--malformed`` of them damaged in several ways, and the server is killed
(``kill -9``) and started again ``--kills`` times meanwhile; senders send again what was not acknowledged, as
an X-ray device does. In the end every object that was acknowledged must be in the store or in quarantine,
every sound one in the store, every damaged one in quarantine. Exits with 1 where that is not so.

The server is as it comes, so the archive is de-identified: objects are looked for by their pseudonyms.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from dicom_node_load.objects import SentObject, make_objects
from dicom_node_load.senders import send_all
from dicom_node_load.server import Server
from pydicom.filereader import read_file_meta_info
from recording import Circumstances, hand_over, take_out

from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.dicom_node.quarantine import file_of, quarantined
from edge_retrieve.edge_app.dicom_node.spool import Spool
from edge_retrieve.edge_app.privacy import deidentifier_of
from edge_retrieve.runtime.bundle import load_bundle
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.query import Query
from edge_retrieve.runtime.retriever import Retriever
from edge_retrieve.runtime.store import Store

_PATIENCE_S = 40.0  # without any progress


@dataclass(frozen=True)
class Result:
    """What was seen; all times in seconds."""

    synthetic: bool
    objects: int
    malformed: int
    associations: int
    kills: int
    pixels: int
    singles: int
    searchable_p50: float
    searchable_max: float
    acknowledge_p50: float
    sending: float
    """From the first request to the last acknowledgement, restarts included."""
    working_off: float
    """From then until nothing waits."""
    sent_again: int
    stored: int
    quarantined: int
    lost: tuple[str, ...]
    """Sound objects that are not in the store."""
    acknowledged_and_missing: tuple[str, ...]
    wrongly_stored: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.lost or self.acknowledged_and_missing or self.wrongly_stored)


def main() -> None:
    options = _parse()
    here = Circumstances.now()
    with tempfile.TemporaryDirectory(prefix="dicom-load-", dir=options.dir) as name:
        result = _run(Path(name), options)
    hand_over(here, asdict(result), options, _told(result))
    if not result.sound:
        sys.exit(1)


def _told(result: Result) -> str:
    return (
        f"{result.objects} objects (synthetic), {result.malformed} of them damaged, over "
        f"{result.associations} associations, {result.kills} kills: {result.stored} stored, "
        f"{result.quarantined} in quarantine, "
        f"{len(result.lost)} lost, {len(result.acknowledged_and_missing)} acknowledged and missing.\n"
        f"Sent in {result.sending:.1f} s, worked off {result.working_off:.1f} s later. One at a time: "
        f"found by a query after {result.searchable_p50:.2f} s (median of {result.singles}), "
        f"{result.searchable_max:.2f} s (longest)."
    )


def _run(folder: Path, options: argparse.Namespace) -> Result:
    bundle = load_bundle()
    store_path = folder / "store"
    objects = make_objects(
        folder / "sent",
        options.singles + options.objects,
        options.malformed,
        options.singles,
        options.pixels,
        options.seed,
    )
    singles, others = objects[: options.singles], objects[options.singles :]
    with (
        Store.open(store_path, bundle=bundle, create=True) as store,
        Encoder(bundle) as encoder,
        Server(store_path, folder / "log") as server,
    ):
        spool = Spool(store_path / "dicom")
        names = deidentifier_of(store, Site.of(store_path, ""))
        assert names is not None
        retriever = Retriever(store, encoder)
        waits = [_until_searchable(server, each, names.uid(each.study), retriever, store) for each in singles]
        start = time.monotonic()
        sent = send_all(server, others, options.associations, options.kills)
        sending = time.monotonic() - start
        _until_empty(spool, server)
        working_off = time.monotonic() - start - sending
        held = {file_of(spool, entry.id) for entry in quarantined(spool)}
        in_quarantine = {_instance(path) for path in held}
        known = {
            each.instance for each in objects if store.find_image(names.uid(each.instance), "") is not None
        }
    sound = {each.instance for each in objects if not each.damage}
    acknowledged = {*sent.acknowledged, *(each.instance for each in singles)}
    return Result(
        synthetic=True,
        objects=len(others),
        malformed=sum(bool(each.damage) for each in others),
        associations=options.associations,
        kills=options.kills,
        pixels=options.pixels,
        singles=len(singles),
        searchable_p50=round(statistics.median(waits), 3),
        searchable_max=round(max(waits), 3),
        acknowledge_p50=round(statistics.median(sent.seconds), 4),
        sending=round(sending, 1),
        working_off=round(working_off, 1),
        sent_again=sent.again,
        stored=len(known),
        quarantined=len(in_quarantine),  # one that was sent again lies there twice
        lost=tuple(sorted(sound - known)),
        acknowledged_and_missing=tuple(sorted(acknowledged - known - in_quarantine)),
        wrongly_stored=tuple(sorted(known - sound)),
    )


def _until_searchable(
    server: Server, sent: SentObject, study: str, retriever: Retriever, store: Store
) -> float:
    """Send one object; return the seconds from the request until a query finds its study."""
    start = time.monotonic()
    send_all(server, [sent], 1, 0)
    while time.monotonic() - start < _PATIENCE_S:
        found = retriever.query(Query(text="lungs", k=max(1, store.count()))).hits
        if any(hit.study == study for hit in found):
            return time.monotonic() - start
        time.sleep(0.005)
    reasons = [held.reason for held in quarantined(Spool(store.path / "dicom"))]
    raise SystemExit(f"{sent.path.name} never became searchable; quarantine: {reasons}\n{server.log}")


def _until_empty(spool: Spool, server: Server) -> None:
    left, since = len(spool.entries()), time.monotonic()
    while left:
        time.sleep(0.05)
        now = len(spool.entries())
        if now < left:
            left, since = now, time.monotonic()
        if time.monotonic() - since > _PATIENCE_S or not server.running:
            raise SystemExit(f"the spool was not worked off:\n{server.log}")


def _instance(path: Path) -> str:
    """Return the SOP instance of a file in quarantine: that of the request, in its meta information."""
    return str(read_file_meta_info(path).MediaStorageSOPInstanceUID)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--objects", type=int, default=500)
    parser.add_argument("--associations", type=int, default=8)
    parser.add_argument("--malformed", type=int, default=50)
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--singles", type=int, default=30)
    parser.add_argument("--pixels", type=int, default=1024)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dir", type=Path)
    parser.add_argument("--tiny", action="store_true", help="a few seconds: does it run at all?")
    take_out(parser)
    options = parser.parse_args()
    if options.tiny:
        options.objects, options.malformed, options.singles, options.pixels = 40, 8, 3, 256
    return options


if __name__ == "__main__":
    main()

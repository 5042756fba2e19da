"""The command line: ``edge-retrieve``. Thin: each module reads options, calls one room, prints."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import click

from edge_retrieve.edge_app.cli.audit import audit
from edge_retrieve.edge_app.cli.bench import bench
from edge_retrieve.edge_app.cli.bundle import bundle
from edge_retrieve.edge_app.cli.case import case
from edge_retrieve.edge_app.cli.compare import compare
from edge_retrieve.edge_app.cli.dataset import dataset
from edge_retrieve.edge_app.cli.demo import demo
from edge_retrieve.edge_app.cli.deploy import deploy
from edge_retrieve.edge_app.cli.dicom import dicom
from edge_retrieve.edge_app.cli.doctor import doctor
from edge_retrieve.edge_app.cli.evaluate import evaluate
from edge_retrieve.edge_app.cli.explain import explain
from edge_retrieve.edge_app.cli.export import export
from edge_retrieve.edge_app.cli.ground import ground
from edge_retrieve.edge_app.cli.group import SafeGroup
from edge_retrieve.edge_app.cli.ingest import ingest
from edge_retrieve.edge_app.cli.phantom import phantom
from edge_retrieve.edge_app.cli.query import query
from edge_retrieve.edge_app.cli.results import results
from edge_retrieve.edge_app.cli.serve import serve
from edge_retrieve.edge_app.cli.store import store
from edge_retrieve.edge_app.cli.studies import studies
from edge_retrieve.edge_app.cli.train import train, train_report
from edge_retrieve.edge_app.cli.user import user
from edge_retrieve.edge_app.cli.warmup import warmup


def _version() -> str:
    try:
        return version("edge-retrieve")
    except PackageNotFoundError:  # run from a tree that was never installed
        return "unknown"


@click.group(cls=SafeGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_version(), prog_name="edge-retrieve")
def main() -> None:
    """Find earlier chest X-ray cases with the same finding in the same anatomical region, offline.

    Not a medical device. For research only.
    """


for _command in (
    demo,
    serve,
    dicom,
    ingest,
    query,
    studies,
    results,
    case,
    explain,
    ground,
    store,
    user,
    audit,
    phantom,
    dataset,
    train,
    train_report,
    compare,
    evaluate,
    export,
    bundle,
    bench,
    warmup,
    doctor,
    deploy,
):
    main.add_command(_command)

__all__ = ["main"]

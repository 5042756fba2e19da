"""A typed client of the HTTP interface, of Python's standard library alone.

>>> with Client("http://127.0.0.1:8080") as client:
...     upload = client.encode(Path("chest.dcm"))
...     answer = client.query({"upload": upload.upload, "regions": ["right lower lung zone"]})
"""

from edge_retrieve.edge_app.client.client import Client
from edge_retrieve.edge_app.client.connection import RefusedError, UnreachableError

__all__ = ["Client", "RefusedError", "UnreachableError"]

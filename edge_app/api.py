"""The HTTP interface and the page: routes only, each handing on to the room that does the work."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from anyio import to_thread
from PIL import Image
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from edge_retrieve.edge_app.answering import answer
from edge_retrieve.edge_app.asking import read_question
from edge_retrieve.edge_app.forms import form_document
from edge_retrieve.edge_app.middleware import Headers, HostCheck, RootPath, SizeLimit
from edge_retrieve.edge_app.problems import on_error
from edge_retrieve.edge_app.readiness import Stage, WarmUp, run_once
from edge_retrieve.edge_app.reading import ReadImage, read_upload
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.uploads import Upload, Uploads
from edge_retrieve.edge_app.wire import Json, encoding_json, region_json, study_json, summary_json
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.runtime.errors import EdgeRetrieveError, QueryError

STATIC = Path(__file__).parent / "static"
DISCLAIMER = "Not a medical device. For research only."

_PAGE = 50  # studies
_LARGEST_PAGE = 500  # studies
_SMALLEST_SIDE, _LARGEST_SIDE = 16, 1024  # pixels of a reduced picture
_THUMBNAILS = 2048  # reduced pictures remembered, about 10 kB each

Result = TypeVar("Result")


def create_app(workspace: Workspace, settings: ServerSettings | None = None) -> Starlette:
    """Build the application.

    Parameters
    ----------
    workspace : Workspace
        Open for as long as the application runs; the caller closes it.
    settings : ServerSettings, optional
        The defaults where None.
    """
    settings = settings or ServerSettings()
    api = _Api(workspace, settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        api.warm_up.start()
        yield
        # The caller frees the engines next.
        await _in_thread(api.warm_up.wait)
        api.uploads.close()

    app = Starlette(
        routes=[
            Route("/", api.page),
            Route("/healthz", api.healthz),
            Route("/readyz", api.readyz),
            Route("/api/archive", api.archive),
            Route("/api/regions", api.regions),
            Route("/api/studies", api.studies),
            # A study's identifier may hold slashes where its archive uses accession numbers.
            Route("/api/studies/{study:path}/image.png", api.study_image),
            Route("/api/studies/{study:path}", api.study),
            Route("/api/encode", api.encode, methods=["POST"]),
            Route("/api/uploads/{upload}/image.png", api.upload_image),
            Route("/api/uploads/{upload}", api.upload),
            Route("/api/query", api.query, methods=["POST"]),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[
            Middleware(Headers),
            Middleware(HostCheck, settings=settings),
            Middleware(RootPath, root_path=settings.root_path),
            Middleware(SizeLimit, limit_mib=settings.max_upload_mib),
        ],
        exception_handlers={EdgeRetrieveError: on_error, HTTPException: on_error, Exception: on_error},
        lifespan=lifespan,
    )
    app.state.warm_up = api.warm_up
    return app


class _Api:
    """The handlers of one application."""

    def __init__(self, workspace: Workspace, settings: ServerSettings) -> None:
        self._workspace, self._settings = workspace, settings
        self.uploads: Uploads[ReadImage] = Uploads(settings.kept_uploads)
        # The engines take one caller at a time; the store looks after itself.
        self._model_lock = threading.Lock()
        self.warm_up = WarmUp(lambda: run_once(workspace.encoder), self._model_lock)
        self._thumbnail = lru_cache(_THUMBNAILS)(self._reduced_preview)

    async def page(self, request: Request) -> Response:
        return FileResponse(STATIC / "index.html")

    async def healthz(self, request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(self, request: Request) -> Response:
        readiness = self.warm_up.readiness
        status: Json = {"status": readiness.stage.value, "engine": self._workspace.encoder.engine}
        if readiness.stage is not Stage.READY:
            failed = readiness.stage is Stage.FAILED
            return JSONResponse(
                {**status, **({"what": readiness.reason} if failed else {})},
                503,
                headers=None if failed else {"retry-after": "1"},
            )
        return JSONResponse({**status, "studies": await _in_thread(self._workspace.store.count)})

    async def archive(self, request: Request) -> Response:
        workspace = self._workspace
        manifest = workspace.bundle.manifest
        return JSONResponse(
            {
                "name": workspace.label.name,
                "synthetic": workspace.label.synthetic,
                "studies": await _in_thread(workspace.store.count),
                "model": {
                    "id": manifest.model_id,
                    "bundle": workspace.bundle.bundle_id,
                    "training_data": manifest.training_data,
                },
                "limits": {
                    "max_upload_mib": self._settings.max_upload_mib,
                    "max_hits": self._settings.max_hits,
                },
                "disclaimer": DISCLAIMER,
            }
        )

    async def regions(self, request: Request) -> Response:
        return JSONResponse({"regions": [region_json(region) for region in REGIONS]})

    async def studies(self, request: Request) -> Response:
        limit = _count(request, "limit", _PAGE, smallest=1, largest=_LARGEST_PAGE)
        offset = _count(request, "offset", 0, smallest=0, largest=2**31)
        search = request.query_params.get("search", "")

        def read() -> Json:
            store = self._workspace.store
            found = store.studies(limit=limit, offset=offset, search=search)
            return {
                "total": store.count(search),
                "offset": offset,
                "studies": [summary_json(summary) for summary in found],
            }

        return JSONResponse(await _in_thread(read))

    async def study(self, request: Request) -> Response:
        study = request.path_params["study"]
        return JSONResponse(await _in_thread(lambda: study_json(self._workspace.store.study(study))))

    async def study_image(self, request: Request) -> Response:
        study = request.path_params["study"]
        side = _count(request, "side", 0, smallest=_SMALLEST_SIDE, largest=_LARGEST_SIDE)
        data = await _in_thread(lambda: self._thumbnail(study, side) if side else self._preview(study))
        # A stored picture never changes, but it is a patient's: no shared cache may keep it.
        return Response(data, media_type="image/png", headers={"cache-control": "private, max-age=3600"})

    async def encode(self, request: Request) -> Response:
        async with request.form() as form:
            upload = await self._keep(form.get("image"))
        return JSONResponse(_upload_json(upload))

    async def upload(self, request: Request) -> Response:
        return JSONResponse(_upload_json(self.uploads.get(request.path_params["upload"])))

    async def upload_image(self, request: Request) -> Response:
        content = self.uploads.get(request.path_params["upload"]).content
        return Response(content.preview, media_type="image/png")

    async def query(self, request: Request) -> Response:
        document: object
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            async with request.form() as form:
                fields = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
                document = form_document(fields)
                if isinstance(form.get("image"), UploadFile):
                    document["upload"] = (await self._keep(form.get("image"))).id
        else:
            try:
                document = await request.json()
            except ValueError as error:
                raise QueryError(f"the request is not JSON ({error})", where="request body") from error
        question = read_question(document, self._settings.max_hits)
        image = self.uploads.get(question.upload).content if question.upload else None

        def work() -> Json:
            start = time.perf_counter()
            with self._model_lock:
                result = answer(self._workspace, question, image)
            return {**result, "took_ms": round((time.perf_counter() - start) * 1000, 1)}

        return JSONResponse(await _in_thread(work))

    async def _keep(self, file: UploadFile | str | None) -> Upload[ReadImage]:
        if not isinstance(file, UploadFile):
            raise QueryError("no file was sent", where="image", remedy="Send it as the form field 'image'")
        data, name = await file.read(), file.filename or "image"
        return await _in_thread(
            lambda: read_upload(self.uploads, data, name, self._workspace.encoder, self._model_lock)
        )

    def _preview(self, study: str) -> bytes:
        return self._workspace.store.preview(study)

    def _reduced_preview(self, study: str, side: int) -> bytes:
        with Image.open(io.BytesIO(self._preview(study))) as picture:
            picture.thumbnail((side, side))
            stream = io.BytesIO()
            picture.save(stream, format="PNG")
        return stream.getvalue()


async def _in_thread(work: Callable[[], Result]) -> Result:
    return await to_thread.run_sync(work)


def _upload_json(upload: Upload[ReadImage]) -> Json:
    read = upload.content
    return {
        "upload": upload.id,
        "file_name": upload.file_name,
        **encoding_json(read.radiograph, read.encoding),
    }


def _count(request: Request, name: str, default: int, *, smallest: int, largest: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdecimal() or not smallest <= int(text) <= largest:
        raise QueryError(f"'{text}' is out of bounds", where=name, remedy=f"Give {smallest} to {largest}")
    return int(text)

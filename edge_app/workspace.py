"""A store, the model that belongs to it, and the retriever over both, opened together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from types import TracebackType

from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.labels import read_label
from edge_retrieve.edge_app.privacy import deidentifier_of
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.bundle import Bundle, PrecisionChoice, Trust, load_bundle
from edge_retrieve.runtime.calibration import ABSTAIN_BELOW
from edge_retrieve.runtime.deid.deidentifier import Deidentifier
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.errors import ConfigError, EdgeRetrieveError, StoreError
from edge_retrieve.runtime.explain.explainer import Explainer
from edge_retrieve.runtime.retriever import Retriever
from edge_retrieve.runtime.store import Store

_NOBODY = Trust()


class Workspace:
    """Everything a command or the server works with. Use it as a context manager.

    Parameters
    ----------
    store_path : Path
    bundle_path : Path, optional
        Folder or tar; the shipped demo bundle where None.
    trust : Trust
        Whose bundles are used; the shipped one always is.
    backend : Backend
    precision : PrecisionChoice
    require_gpu : bool
    engines : str
        Folder of the engines of TensorRT and TensorRT for RTX; empty for the user's cache folder.
    abstain_below : float
        As for `Retriever`.
    site : str
        Folder of the site's own files; empty for the one in the store's folder.
    create : bool
        Make the store where there is none.

    Raises
    ------
    StoreError, BundleError, BackendError
        Where one of them cannot be opened.
    """

    def __init__(
        self,
        store_path: Path,
        bundle_path: Path | None = None,
        *,
        trust: Trust = _NOBODY,
        backend: Backend = Backend.AUTO,
        precision: PrecisionChoice = PrecisionChoice.AUTO,
        require_gpu: bool = False,
        engines: str = "",
        abstain_below: float = ABSTAIN_BELOW,
        site: str = "",
        create: bool = False,
    ) -> None:
        self._opened_as: Callable[[Path | None], Workspace] = partial(
            Workspace,
            store_path,
            trust=trust,
            backend=backend,
            precision=precision,
            require_gpu=require_gpu,
            engines=engines,
            abstain_below=abstain_below,
            site=site,
        )
        self._bundle_path = bundle_path
        self.site = Site.of(store_path, site)
        self._deidentifier: Deidentifier | None = None
        self.bundle: Bundle = load_bundle(bundle_path, trust)
        with ExitStack() as stack:
            self.store = stack.enter_context(Store.open(store_path, bundle=self.bundle, create=create))
            self.label = read_label(store_path)
            folder = Path(engines) if engines else None
            self.encoder = stack.enter_context(
                Encoder(self.bundle, backend, require_gpu, engines=folder, precision=precision)
            )
            self.retriever = Retriever(
                self.store, self.encoder, abstain_below=abstain_below, deidentifier=self.deidentifier
            )
            self.explainer = Explainer(self.store, self.encoder, self.retriever, abstain_below=abstain_below)
            self._stack = stack.pop_all()

    def deidentifier(self) -> Deidentifier | None:
        """Return what knows patients by the store's pseudonyms; None where it has none.

        Also None where their key is away: a copy of a store can be asked all the same.
        """
        if self._deidentifier is None:
            with suppress(ConfigError):
                self._deidentifier = deidentifier_of(self.store, self.site)
        return self._deidentifier

    def reopened(self) -> Workspace:
        """Open the same store once more, with the bundle that it has by now.

        It is looked for where this one's bundle was: what lies there may be another one since. The shipped
        bundle is found anyhow.

        Raises
        ------
        StoreError, BundleError, BackendError
            Where it is not there, or cannot be opened.
        """
        try:
            return self._opened_as(self._bundle_path)
        except StoreError:
            if self._bundle_path is None:
                raise
            with suppress(EdgeRetrieveError):
                return self._opened_as(None)
            raise

    def close(self) -> None:
        """Close the store and free the engines; closing twice is allowed."""
        self._stack.close()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

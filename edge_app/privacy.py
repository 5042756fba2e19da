"""Which identifiers go into a store: pseudonyms by default, those of the files where a site says it may."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.labels import holds_phantoms, read_label
from edge_retrieve.runtime.deid.deidentifier import Deidentifier
from edge_retrieve.runtime.deid.key import SiteKey, read_key, read_or_make_key
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.runtime.store import Store
from edge_retrieve.runtime.store.privacy import Identities, PrivacyMark


def prepare_ingest(
    store: Store, site: Site, sources: Sequence[Path], *, keep_identities: bool = False
) -> Deidentifier | None:
    """Decide what is done to cases before they are stored, and write that down in the store.

    The first ingest decides: pseudonyms, unless the site keeps identities or every source is of a folder
    of phantoms, who are nobody. From then on the store stays what it is, so that nobody's pseudonym lies
    beside his name. A store of an earlier version holds identities, and goes on to.

    Parameters
    ----------
    store : Store
    site : Site
        Where the key is; it is made where the store begins with pseudonyms and there is none.
    sources : sequence of Path
        What is to be ingested.
    keep_identities : bool

    Returns
    -------
    Deidentifier or None
        What every case passes; None where identifiers are stored as they are.

    Raises
    ------
    ConfigError
        Where what is asked contradicts what the store is, or the key is missing or another one.
    """
    mark = store.privacy()
    phantoms = bool(sources) and all(holds_phantoms(source) for source in sources)
    if mark.identities is Identities.UNDECIDED and store.count():
        # Of an earlier version: it holds what its files said.
        mark = PrivacyMark(Identities.SYNTHETIC if read_label(store.path).synthetic else Identities.KEPT)
        store.set_privacy(mark)
    if mark.identities is Identities.UNDECIDED:
        return _begin(store, site, phantoms=phantoms, keep_identities=keep_identities)
    if mark.identities is Identities.REPLACED:
        if keep_identities:
            raise ConfigError(
                "the store holds pseudonyms, and identities would lie beside them",
                where="--keep-identities",
                remedy="Ingest into another store",
            )
        return Deidentifier(_key_of(mark, site))
    if mark.identities is Identities.SYNTHETIC and not phantoms:
        # The phantoms' identifiers stay beside the pseudonyms: they are nobody's.
        return _begin(store, site, phantoms=False, keep_identities=keep_identities)
    return None


def deidentifier_of(store: Store, site: Site) -> Deidentifier | None:
    """Return what stands between patients and a store, None where it holds no pseudonyms.

    Raises
    ------
    ConfigError
        Where it holds some and their key is missing or another one.
    """
    mark = store.privacy()
    return Deidentifier(_key_of(mark, site)) if mark.identities is Identities.REPLACED else None


def holds_identities(store: Store) -> bool:
    """Return whether a store may hold identifiers of patients."""
    return store.privacy().identities not in (Identities.REPLACED, Identities.SYNTHETIC)


def _begin(store: Store, site: Site, *, phantoms: bool, keep_identities: bool) -> Deidentifier | None:
    if keep_identities or phantoms:
        store.set_privacy(PrivacyMark(Identities.KEPT if keep_identities else Identities.SYNTHETIC))
        return None
    key = read_or_make_key(site.key)
    store.set_privacy(PrivacyMark(Identities.REPLACED, key.check))
    return Deidentifier(key)


def _key_of(mark: PrivacyMark, site: Site) -> SiteKey:
    key = read_key(site.key)
    if key.check != mark.key_check:
        raise ConfigError(
            "this is not the key that the store's pseudonyms were made with",
            where=str(site.key),
            remedy="Bring back the store's own key, or name its folder with --site",
        )
    return key

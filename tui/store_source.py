"""Feature stores as the Data and Run screens show them. Loads numpy, never torch."""

from __future__ import annotations

from setgf.errors import DataError
from setgf.home import Home
from setgf.terms import Split
from tui.records import StoreFacts


def read_stores(home: Home) -> tuple[StoreFacts, ...]:
    """Return the facts of every store; a damaged one says what is wrong with it."""
    from setgf.data.store import store_names

    return tuple(_read_store(home, name) for name in store_names(home))


def _read_store(home: Home, name: str) -> StoreFacts:
    from setgf.data.report_text import describe_store
    from setgf.data.store import open_store

    try:
        store = open_store(home, name)
        lines = tuple(describe_store(store))
    except DataError as error:
        return StoreFacts(name=name, dataset="", num_samples=0, lines=(), problem=str(error))
    manifest = store.manifest
    return StoreFacts(
        name=name,
        dataset=manifest.dataset.value,
        num_samples=sum(manifest.sizes.values()),
        lines=lines,
    )


def read_transcripts(home: Home, name: str, split: str) -> dict[str, str]:
    """Return transcripts by sample id; empty when the store is not here or can't be read."""
    from setgf.data.store import open_store

    try:
        data = open_store(home, name).split(Split(split))
    except DataError:
        return {}
    return dict(zip(data.ids, data.transcripts, strict=False))

"""What happened to jobs, runs and workers, and what of it a user wants to be told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING

from db.records import Event, Worker
from tui.formatting import duration, number
from tui.job_records import Alert, AlertKind, EventLine, EventsBody, Watched
from tui.sources.queue_reading import read_workers

if TYPE_CHECKING:
    from db.filter_names import Execute
    from tui.sources.access import DatabaseAccess

MOST_NEW_EVENTS = 500
ALMOST_FULL = 0.97
"""Share of a GPU's memory above which the next allocation may fail."""
PLATEAU_SHARE = 0.75
"""Of the patience, after which a run is said to stand still; early stopping ends it at 1."""
LEAST_PLATEAU_EPOCHS = 3
AGAIN_SECONDS = 3600.0
"""What goes on is told again after an hour."""
LIVE = "('starting', 'running', 'stopping')"
WORDS_OF_MEMORY = ("out_of_memory", "out of memory")


def read_events(access: DatabaseAccess, limit: int) -> EventsBody:
    """Return the newest events with the names of what they are about, the newest first."""
    with access.reading() as query:
        events = [event for event in query.events(limit=limit) if not _is_echo(event)]
    names = access.ask(lambda execute, _: _names(execute, events))
    return EventsBody(
        lines=tuple(EventLine(event=e, name=names.get(_about(e), "")) for e in reversed(events))
    )


def watch(access: DatabaseAccess, since_event: int) -> Watched:
    """Return what there is to be told: of events after one, of live runs, GPUs and workers."""
    now = access.clock()
    newest, num_workers, alerts = access.ask(
        lambda execute, _: (
            int(execute("SELECT coalesce(max(id), 0) FROM events", {})[0][0]),
            int(execute("SELECT count(*) FROM workers", {})[0][0]),
            [*_not_finite(execute, now), *_plateaus(execute, now)],
        )
    )
    if newest > since_event:
        alerts = [*_of_events(access, since_event), *alerts]
    workers = read_workers(access) if num_workers else ()
    return Watched(
        newest_event=max(newest, since_event),
        alerts=(*alerts, *_of_workers(workers, now), *_of_heat(now)),
    )


def _of_events(access: DatabaseAccess, since_event: int) -> list[Alert]:
    """Return the alerts of the events after one."""
    with access.reading() as query:
        events = query.events(since_id=since_event, limit=MOST_NEW_EVENTS)
    names = access.ask(lambda execute, _: _names(execute, events))
    return [alert for event in events for alert in _of_event(event, names)]


def _is_echo(event: Event) -> bool:
    """Return True for what a run only does because its job does."""
    return event.kind == "run" and event.job_id is not None


def _about(event: Event) -> tuple[str, str]:
    if event.job_id is not None:
        return ("job", str(event.job_id))
    return ("run", event.run_id or "")


def _names(execute: Execute, events: Iterable[Event]) -> Mapping[tuple[str, str], str]:
    """Return the names of the jobs and runs that events are about."""
    about = {_about(event) for event in events}
    found: dict[tuple[str, str], str] = {}
    for table in ("job", "run"):
        ids = sorted(key for kind, key in about if kind == table and key)
        for begin in range(0, len(ids), 500):
            part = {f"i{n}": key for n, key in enumerate(ids[begin : begin + 500])}
            values = {k: int(v) if table == "job" else v for k, v in part.items()}
            rows = execute(
                f"SELECT id, name FROM {table}s WHERE id IN ({', '.join(f':{k}' for k in part)})",
                values,
            )
            found |= {(table, str(key)): str(name) for key, name in rows}
    return found


def _of_event(event: Event, names: Mapping[tuple[str, str], str]) -> list[Alert]:
    """Return the alert of an event: an end, good or bad, or a lack of memory."""
    if event.kind not in ("job", "run") or _is_echo(event):
        return []
    name = names.get(_about(event)) or event.run_id or ""
    why = " ".join(event.why.split())
    lacks_memory = any(words in why.lower() for words in WORDS_OF_MEMORY)
    if event.to_state == "succeeded":
        kind, text = AlertKind.FINISHED, f"{name} has finished."
    elif event.to_state == "failed" or (event.to_state == "lost" and event.kind == "job"):
        kind = AlertKind.GPU if lacks_memory else AlertKind.FAILED
        text = f"{name} {'has failed' if event.to_state == 'failed' else 'is lost'}: {why}"
    elif event.to_state == "queued" and lacks_memory:
        kind, text = AlertKind.GPU, f"{name} is tried again: {why}"
    else:
        return []
    key = f"event:{event.id}"
    return [Alert(key=key, kind=kind, text=text, at=event.at, run_id=event.run_id)]


def _not_finite(execute: Execute, now: float) -> list[Alert]:
    """Return the live runs that logged NaN or infinity."""
    rows = execute(
        "SELECT runs.id, runs.name, series.split, series.name, series.non_finite FROM series "
        f"JOIN runs ON runs.id = series.run_id WHERE runs.state IN {LIVE} "
        "AND series.non_finite > 0 ORDER BY series.id",
        {},
    )
    return [
        Alert(
            key=f"nan:{run_id}:{split}.{name}",
            kind=AlertKind.NOT_FINITE,
            text=f"{run} logs NaN or infinity: {split}.{name}, {count} so far.",
            at=now,
            run_id=str(run_id),
        )
        for run_id, run, split, name, count in rows
    ]


def _plateaus(execute: Execute, now: float) -> list[Alert]:
    """Return the live runs whose best epoch is long ago."""
    rows = execute(
        "SELECT runs.id, runs.name, runs.epoch, runs.best_epoch, runs.best_valid, runs.monitor, "
        "settings.number FROM runs LEFT JOIN settings ON settings.run_id = runs.id "
        "AND settings.name = 'train.patience' "
        f"WHERE runs.state IN {LIVE} AND runs.best_epoch IS NOT NULL",
        {},
    )
    found: list[Alert] = []
    for run_id, name, epoch, best_epoch, best, monitor, patience in rows:
        limit = max(LEAST_PLATEAU_EPOCHS, ceil(PLATEAU_SHARE * float(patience or 8)))
        if best_epoch and epoch - best_epoch >= limit:
            text = (
                f"{name} has not improved for {epoch - best_epoch} epochs: best valid.{monitor} "
                f"{number(best)} in epoch {best_epoch}."
            )
            key = f"plateau:{run_id}:{best_epoch}"
            found.append(
                Alert(key=key, kind=AlertKind.PLATEAU, text=text, at=now, run_id=str(run_id))
            )
    return found


def _of_workers(workers: Sequence[Worker], now: float) -> list[Alert]:
    """Return the workers that died, and the GPUs whose memory is almost full."""
    found: list[Alert] = []
    for worker in workers:
        if worker.state == "stale":
            silence = duration(now - worker.heartbeat_at)
            text = f"The worker on {worker.host} (pid {worker.pid}) is gone: no sign for {silence}."
            key = f"worker:{worker.id}:{worker.heartbeat_at}"
            found.append(Alert(key=key, kind=AlertKind.WORKER, text=text, at=now))
        if worker.state != "alive":
            continue
        for device in worker.devices:
            if device.memory_mib and device.memory_used_mib >= ALMOST_FULL * device.memory_mib:
                used, whole = device.memory_used_mib / 1024, device.memory_mib / 1024
                text = (
                    f"{device.name} of {worker.host} is almost out of memory: "
                    f"{used:.1f} of {whole:.0f} GiB."
                )
                key = f"full:{worker.id}:{device.name}:{now // AGAIN_SECONDS:.0f}"
                found.append(Alert(key=key, kind=AlertKind.GPU, text=text, at=now))
    return found


def _of_heat(now: float) -> list[Alert]:
    """Return the GPUs of this machine that are about to slow down for heat."""
    from tui.sources.heat import hot_gpus

    return [
        Alert(
            key=f"hot:{name}:{now // AGAIN_SECONDS:.0f}",
            kind=AlertKind.GPU,
            text=f"{name} is hot: {degrees} C; it slows down at {limit} C.",
            at=now,
        )
        for name, degrees, limit in hot_gpus()
    ]

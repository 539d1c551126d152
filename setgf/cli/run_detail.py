"""A run for people: what it is, what it measured, and where its files are."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from db.records import Attempt, Run, RunDetail
from setgf.analysis.display import show_setting, show_value
from setgf.cli.run_text import show_lines, show_text
from setgf.config.settings import flatten_plain

_CALIBRATED = ".calibrated."


def describe(detail: RunDetail, *, now: float) -> Iterator[str]:
    """Yield the lines of `setgf runs show`."""
    run = detail.run
    yield f"{run.id}  {show_text(run.name)}  {run.state}"
    yield from _under("", _facts(run, now))
    yield from _under("Test (accuracies and F1 in percent)", _metrics_of(run.metrics, "test."))
    yield from _under("Validation, best epoch", _metrics_of(run.metrics, "valid."))
    yield from _under("Calibrated on validation: a result of its own", _calibrated(run.metrics))
    yield from _under("Settings that differ from the preset", _differences(run))
    yield from _under(
        "Series: last value",
        [
            (name, f"{summary.last:.6g}  (step {summary.last_step}, {_count(summary.count)})")
            for name, summary in detail.summaries.items()
        ],
    )
    yield from _under(
        "Attempts", [(str(a.number), _describe_attempt(a, now)) for a in detail.attempts]
    )
    yield from _under(
        "Checkpoints",
        [
            (c.role, f"epoch {c.epoch}, step {c.step}, {c.size / 1e6:.1f} MB, {c.path}")
            for c in detail.checkpoints
        ],
    )


def show_duration(seconds: float) -> str:
    """Return a duration as `42 s`, `3 min 5 s` or `2 h 10 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _facts(run: Run, now: float) -> list[tuple[str, str]]:
    best = "-" if run.best_epoch is None else str(run.best_epoch)
    facts = [
        ("model", f"{run.model}, seed {run.seed}"),
        ("data", f"{run.data_name} ({run.dataset})"),
        ("epoch", f"{run.epoch} of {run.max_epochs}, step {run.step}"),
        ("best epoch", f"{best}, valid {run.monitor} {show_value(run.monitor, run.best_valid)}"),
        ("time", _describe_times(run, now)),
        ("on", " ".join(word for word in (run.host, run.device) if word)),
        ("parameters", "" if run.parameters is None else f"{run.parameters:,}"),
        ("code", _describe_code(run)),
        ("group", run.group_name or ""),
        ("job", "" if run.job_id is None else str(run.job_id)),
        ("tags", ", ".join(run.tags)),
        ("note", run.note),
        ("archived", "yes" if run.archived else ""),
        ("in the trash", "" if run.trashed_at is None else f"since {_clock(run.trashed_at)}"),
        ("error", run.error or ""),
        ("fingerprint", run.fingerprint),
        ("folder", run.folder),
    ]
    return [(name, text) for name, text in facts if text]


def _describe_times(run: Run, now: float) -> str:
    if run.started_at is None:
        return f"made {_clock(run.created_at)}, not started"
    end = now if run.finished_at is None else run.finished_at
    return f"started {_clock(run.started_at)}, {show_duration(end - run.started_at)}"


def _describe_code(run: Run) -> str:
    if run.code_commit is None:
        return ""
    return run.code_commit[:12] + (" with uncommitted changes" if run.code_dirty else "")


def _describe_attempt(attempt: Attempt, now: float) -> str:
    end = now if attempt.ended_at is None else attempt.ended_at
    parts = [
        attempt.outcome or "running",
        show_duration(end - attempt.started_at),
        f"on {attempt.host}",
        f"from step {attempt.resume_step}" if attempt.resume_step else "",
        "" if attempt.exit_code is None else f"exit code {attempt.exit_code}",
        attempt.error or "",
    ]
    return ", ".join(part for part in parts if part)


def _metrics_of(metrics: Mapping[str, float], prefix: str) -> list[tuple[str, str]]:
    """Return the metrics of a split; those of the fusion branch first."""
    names = sorted(
        (name for name in metrics if name.startswith(prefix) and _CALIBRATED not in name),
        key=lambda name: name.count("."),
    )
    return [(name.removeprefix(prefix), show_value(name, metrics[name])) for name in names]


def _calibrated(metrics: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return what slope and intercept fitted on validation make of the fusion score."""
    names = sorted((n for n in metrics if _CALIBRATED in n), key=lambda n: not n.startswith("test"))
    return [(name.replace(_CALIBRATED, "."), show_value(name, metrics[name])) for name in names]


def _differences(run: Run) -> list[tuple[str, str]]:
    """Return the settings that are not those of the data set's preset."""
    from setgf.config import build_config
    from setgf.terms import Dataset

    if run.dataset not in tuple(Dataset):
        return []
    preset = build_config(dataset=Dataset(run.dataset), settings={}).flatten()
    own = flatten_plain(run.config)
    return [
        (name, f"{show_setting(own[name])}  (preset: {show_setting(value)})")
        for name, value in preset.items()
        if name in own
        and name not in ("data.name", "model.name", "seed")
        and show_setting(own[name]) != show_setting(value)
    ]


def _under(title: str, entries: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield entries in two columns under a title; nothing when there are none."""
    if not entries:
        return
    if title:
        yield ""
        yield title
    width = max(len(name) for name, _ in entries)
    for name, text in entries:
        first, *more = show_lines(text)
        yield f"  {show_text(name):<{width}}  {first}"
        yield from (f"  {'':<{width}}  {line}" for line in more)


def _count(number: int) -> str:
    return "1 point" if number == 1 else f"{number} points"


def _clock(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))

"""The parts of the Run screen as values: groups of charts, epochs, events, files. No widgets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from db.records import Curve, Event, RunDetail
from tui.formatting import MISSING, Role, clock, number, size
from tui.widgets.columns import Cell, Column

BRANCHES = ("", "text.", "audio.", "vision.")
CHART_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("loss", ("train.loss", "valid.loss")),
    ("MAE on valid", tuple(f"valid.{branch}mae" for branch in BRANCHES)),
    ("loss by task", ("train.text.loss", "train.audio.loss", "train.vision.loss")),
    (
        "accuracy on valid",
        tuple(f"valid.acc{kind}" for kind in ("2_non0", "2_has0", "2", "3", "5", "7")),
    ),
    ("F1 on valid", ("valid.f1_non0", "valid.f1_has0", "valid.f1")),
    ("correlation on valid", tuple(f"valid.{branch}corr" for branch in BRANCHES)),
    ("learning rate", ("train.lr", "train.lr_text")),
    ("gradient norm", ("train.gradient_norm",)),
    ("consistency loss", ("train.consistency",)),
    (
        "unimodal labels: shift from the annotation",
        tuple(f"labels.{branch}mean_shift" for branch in BRANCHES[1:]),
    ),
    (
        "unimodal labels: change in an epoch",
        tuple(f"labels.{branch}mean_change" for branch in BRANCHES[1:]),
    ),
    (
        "unimodal labels: correlation with the annotation",
        tuple(f"labels.{branch}correlation" for branch in BRANCHES[1:]),
    ),
    ("seconds an epoch", ("train.seconds", "train.data_seconds")),
    ("samples a second", ("train.samples_per_second",)),
)


def chart_groups(names: Iterable[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return title and series of every chart: those we know, then all others by their last word."""
    known = dict.fromkeys(names)
    groups = [(title, tuple(n for n in wanted if n in known)) for title, wanted in CHART_GROUPS]
    used = {name for _, series in groups for name in series}
    others: dict[str, list[str]] = {}
    for name in known:
        if name not in used:
            split, *rest = name.split(".")
            title = f"{rest[-1].replace('_', ' ')} on {split}" if rest else name
            others.setdefault(title, []).append(name)
    groups += [(title, tuple(sorted(series, key=_depth))) for title, series in others.items()]
    return tuple((title, series) for title, series in groups if series)


def _depth(name: str) -> tuple[int, str]:
    return name.count("."), name


def short_name(series: str, among: Sequence[str]) -> str:
    """Return what tells a series from the others of its chart; the fusion branch by its name."""
    split, *rest = series.split(".")
    if len({name.split(".")[0] for name in among}) > 1:
        return split
    if len(among) > 1 and len({name.split(".")[-1] for name in among}) == 1:
        return ".".join(rest[:-1]) or "fusion"
    return ".".join(rest) or split


@dataclass(frozen=True, slots=True)
class EpochRow:
    """Values of all series at the end of an epoch."""

    epoch: int
    values: Mapping[str, float]
    is_best: bool
    is_kept: bool = False
    """A checkpoint of this epoch is there."""


def epoch_series(detail: RunDetail) -> tuple[str, ...]:
    """Return the series with one value an epoch: the monitored one, valid, train, then labels."""
    run = detail.run
    monitored = f"valid.{run.monitor.removeprefix('valid.')}"
    most = max(run.epoch, run.max_epochs) + 1
    names = [
        name
        for name, summary in detail.summaries.items()
        if name.startswith("valid.") or (summary.count <= most and not name.startswith("test."))
    ]
    splits = {"valid": 0, "train": 1}

    def order(name: str) -> tuple[bool, int, int, str]:
        return name != monitored, splits.get(name.split(".")[0], 2), name.count("."), name

    return tuple(sorted(names, key=order))


def epoch_rows(curves: Sequence[Curve], detail: RunDetail) -> tuple[EpochRow, ...]:
    """Return one row an epoch, the newest value of each series in it."""
    table: dict[int, dict[str, float]] = {}
    for curve in curves:
        for epoch, value in zip(curve.epochs.tolist(), curve.values.tolist(), strict=True):
            table.setdefault(epoch, {})[curve.series] = value
    kept = {one.epoch for one in detail.checkpoints}
    best = detail.run.best_epoch
    return tuple(
        EpochRow(epoch, table[epoch], is_best=epoch == best, is_kept=epoch in kept)
        for epoch in sorted(table)
    )


def epoch_columns(names: Sequence[str]) -> tuple[Column[EpochRow], ...]:
    """Return the columns of the table of epochs: one for each series."""
    first: Column[EpochRow] = Column(
        key="epoch",
        title="epoch",
        width=8,
        cell=lambda r: Cell(
            f"{'best ' if r.is_best else ''}{r.epoch}{'◇' if r.is_kept else ' '}",
            Role.GOOD if r.is_best else Role.DIM,
        ),
        sort=lambda r: r.epoch,
        is_right=True,
    )
    return (first, *(_epoch_column(place, name) for place, name in enumerate(names)))


def _epoch_column(place: int, name: str) -> Column[EpochRow]:
    def value(row: EpochRow) -> float | None:
        return row.values.get(name)

    title = name.removeprefix("valid.")
    return Column(
        key=name,
        title=title,
        width=max(len(title) + 1, 7),
        cell=lambda r: Cell(number(value(r)), Role.GOOD if r.is_best else Role.PLAIN),
        sort=value,
        is_right=True,
        rank=place,
    )


EVENT_COLUMNS: tuple[Column[Event], ...] = (
    Column(
        key="at",
        title="at",
        width=8,
        cell=lambda e: Cell(clock(e.at), Role.DIM),
        sort=lambda e: e.id,
    ),
    Column(key="kind", title="what", width=7, cell=lambda e: Cell(e.kind, Role.DIM), rank=1),
    Column(
        key="change",
        title="change",
        width=22,
        cell=lambda e: Cell(" → ".join(s for s in (e.from_state, e.to_state) if s)),
    ),
    Column(
        key="attempt",
        title="try",
        width=3,
        cell=lambda e: Cell("" if e.attempt is None else str(e.attempt), Role.DIM),
        is_right=True,
        rank=2,
    ),
    Column(key="why", title="why", width=16, cell=lambda e: Cell(e.why), grows=True),
    Column(key="actor", title="by", width=12, cell=lambda e: Cell(e.actor, Role.DIM), rank=3),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """A checkpoint, or any other file the run left."""

    path: str
    kind: str
    attempt: int
    epoch: int | None
    step: int | None
    size: int
    sha256: str
    created_at: float


def file_rows(detail: RunDetail) -> tuple[FileRow, ...]:
    """Return the checkpoints, then the other files, newest first."""
    checkpoints = [
        FileRow(
            path=one.path,
            kind=f"checkpoint, {one.role}",
            attempt=one.attempt,
            epoch=one.epoch,
            step=one.step,
            size=one.size,
            sha256=one.sha256,
            created_at=one.created_at,
        )
        for one in detail.checkpoints
    ]
    others = [
        FileRow(
            path=one.path,
            kind=one.kind.replace("-", ", "),
            attempt=one.attempt,
            epoch=None,
            step=None,
            size=one.size,
            sha256=one.sha256,
            created_at=one.created_at,
        )
        for one in detail.artifacts
    ]
    return (
        *sorted(checkpoints, key=lambda row: -row.created_at),
        *sorted(others, key=lambda row: -row.created_at),
    )


def _count(value: int | None) -> Cell:
    return Cell(MISSING if value is None else f"{value:,}")


FILE_COLUMNS: tuple[Column[FileRow], ...] = (
    Column(key="kind", title="what", width=18, cell=lambda r: Cell(r.kind), sort=lambda r: r.kind),
    Column(
        key="epoch",
        title="epoch",
        width=5,
        cell=lambda r: _count(r.epoch),
        sort=lambda r: r.epoch,
        is_right=True,
    ),
    Column(
        key="step",
        title="step",
        width=9,
        cell=lambda r: _count(r.step),
        sort=lambda r: r.step,
        is_right=True,
        rank=3,
    ),
    Column(
        key="size",
        title="size",
        width=9,
        cell=lambda r: Cell(size(r.size)),
        sort=lambda r: r.size,
        is_right=True,
    ),
    Column(
        key="at",
        title="written",
        width=8,
        cell=lambda r: Cell(clock(r.created_at), Role.DIM),
        sort=lambda r: r.created_at,
        rank=1,
    ),
    Column(
        key="path",
        title="path",
        width=20,
        cell=lambda r: Cell(r.path),
        grows=True,
        cuts_middle=True,
    ),
    Column(
        key="sha256",
        title="sha256",
        width=12,
        cell=lambda r: Cell(r.sha256[:12], Role.DIM),
        rank=2,
    ),
)

"""The parts of the Run screen as values: groups of charts and tables of rows. No widgets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from db.records import Event, Points, Prediction, RunDetail
from tui.formatting import Role, clock, number
from tui.widgets.columns import Cell, Column

CHART_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("loss", ("train.loss", "valid.loss")),
    ("MAE on valid", ("valid.mae", "valid.text.mae", "valid.audio.mae", "valid.vision.mae")),
    ("loss by task", ("train.text.loss", "train.audio.loss", "train.vision.loss")),
    (
        "accuracy on valid",
        (
            "valid.acc2_non0",
            "valid.acc2_has0",
            "valid.acc2",
            "valid.acc3",
            "valid.acc5",
            "valid.acc7",
        ),
    ),
    (
        "correlation on valid",
        ("valid.corr", "valid.text.corr", "valid.audio.corr", "valid.vision.corr"),
    ),
    ("learning rate", ("train.lr", "train.lr_text")),
    ("gradient norm", ("train.gradient_norm",)),
    ("consistency loss", ("train.consistency",)),
    (
        "unimodal labels: change against annotation",
        ("labels.text.mean_change", "labels.audio.mean_change", "labels.vision.mean_change"),
    ),
    (
        "unimodal labels: correlation with annotation",
        ("labels.text.correlation", "labels.audio.correlation", "labels.vision.correlation"),
    ),
)


def chart_groups(names: Iterable[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return title and series of each chart that has any of these series."""
    known = set(names)
    groups = [(title, tuple(n for n in wanted if n in known)) for title, wanted in CHART_GROUPS]
    return tuple((title, series) for title, series in groups if series)


def short_name(series: str, among: Sequence[str]) -> str:
    """Return what tells a series from the others of its chart; the fusion branch by its name."""
    split, *rest = series.split(".")
    if len({name.split(".")[0] for name in among}) > 1:
        return split
    if len(among) > 1 and len({name.split(".")[-1] for name in among}) == 1:
        return ".".join(rest[:-1]) or "fusion"
    return ".".join(rest) or split


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A setting or a fact of the run."""

    name: str
    value: str
    is_heading: bool = False


def setting_rows(detail: RunDetail) -> tuple[SettingRow, ...]:
    """Return config, origin and files of a run, each under its heading."""
    run = detail.run
    rows = [SettingRow("Config", run.fingerprint[:12], is_heading=True)]
    rows += [SettingRow(name, value) for name, value in flatten(run.config)]
    rows.append(SettingRow("Where it comes from", "", is_heading=True))
    dirty = " with changes" if run.code_dirty else ""
    facts = {
        "command": " ".join(detail.command),
        "code": f"{run.code_commit}{dirty}" if run.code_commit else "",
        "data fingerprint": run.data_fingerprint or "",
        "host": run.host or "",
        "device": run.device or "",
        "parameters": f"{run.parameters:,}" if run.parameters is not None else "",
        "tags": ", ".join(run.tags),
        "note": run.note,
        "folder": run.folder,
    }
    rows += [SettingRow(name, value) for name, value in facts.items() if value]
    if detail.environment:
        rows.append(SettingRow("Environment", "", is_heading=True))
        rows += [SettingRow(name, value) for name, value in flatten(detail.environment)]
    return tuple(rows)


def flatten(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return dotted names and values of nested settings, in their order."""
    rows: list[tuple[str, str]] = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            rows += flatten(cast(Mapping[str, Any], value), f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            items = cast("Sequence[object]", value)
            rows.append((prefix + name, ", ".join(map(str, items)) or "none"))
        elif isinstance(value, bool):
            rows.append((prefix + name, "true" if value else "false"))
        else:
            rows.append((prefix + name, str(value)))
    return rows


SETTING_COLUMNS: tuple[Column[SettingRow], ...] = (
    Column(
        key="name",
        title="setting",
        width=28,
        cell=lambda r: Cell(r.name, Role.STRONG) if r.is_heading else Cell("  " + r.name, Role.DIM),
        grows=False,
    ),
    Column(key="value", title="value", width=20, cell=lambda r: Cell(r.value), grows=True),
)


@dataclass(frozen=True, slots=True)
class EpochRow:
    """Values of all series at the end of an epoch."""

    epoch: int
    values: Mapping[str, float]
    is_best: bool


def epoch_rows(points: Sequence[Points], best_epoch: int | None) -> tuple[EpochRow, ...]:
    """Return one row an epoch, the newest value of each series in it."""
    table: dict[int, dict[str, float]] = {}
    for series in points:
        for epoch, value in zip(series.epochs, series.values, strict=True):
            table.setdefault(epoch, {})[series.series] = value
    return tuple(EpochRow(e, table[e], is_best=e == best_epoch) for e in sorted(table))


def epoch_columns(names: Sequence[str]) -> tuple[Column[EpochRow], ...]:
    """Return the columns of the table of epochs: one for each series."""
    first: Column[EpochRow] = Column(
        key="epoch",
        title="epoch",
        width=7,
        cell=lambda r: Cell(
            f"{'best ' if r.is_best else ''}{r.epoch}", Role.GOOD if r.is_best else Role.DIM
        ),
        sort=lambda r: r.epoch,
        is_right=True,
    )
    return (first, *(_epoch_column(place, name) for place, name in enumerate(names)))


def _epoch_column(place: int, name: str) -> Column[EpochRow]:
    def value(row: EpochRow) -> float | None:
        return row.values.get(name)

    return Column(
        key=name,
        title=name.removeprefix("valid."),
        width=max(len(name.removeprefix("valid.")) + 1, 7),
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


@dataclass(frozen=True, slots=True)
class PredictionRow:
    """A prediction with its transcript."""

    prediction: Prediction
    transcript: str

    @property
    def error(self) -> float:
        """Score less label."""
        return self.prediction.fusion - self.prediction.label


def _score(name: str) -> Column[PredictionRow]:
    def value(row: PredictionRow) -> float | None:
        return getattr(row.prediction, name)

    def cell(row: PredictionRow) -> Cell:
        found = value(row)
        return Cell("" if found is None else f"{found:.2f}", Role.DIM)

    return Column(key=name, title=name, width=7, cell=cell, sort=value, is_right=True, rank=3)


def _error_cell(row: PredictionRow) -> Cell:
    size = abs(row.error)
    role = Role.BAD if size >= 2 else Role.WARN if size >= 1 else Role.PLAIN
    return Cell(f"{row.error:+.2f}" if math.isfinite(size) else "NaN", role)


PREDICTION_COLUMNS: tuple[Column[PredictionRow], ...] = (
    Column(
        key="id",
        title="sample",
        width=14,
        cell=lambda r: Cell(r.prediction.sample_id, Role.DIM),
        sort=lambda r: r.prediction.sample_id,
        cuts_middle=True,
        rank=2,
    ),
    Column(
        key="label",
        title="label",
        width=6,
        cell=lambda r: Cell(f"{r.prediction.label:.2f}"),
        sort=lambda r: r.prediction.label,
        is_right=True,
    ),
    Column(
        key="fusion",
        title="score",
        width=6,
        cell=lambda r: Cell(f"{r.prediction.fusion:.2f}", Role.STRONG),
        sort=lambda r: r.prediction.fusion,
        is_right=True,
    ),
    Column(
        key="error",
        title="error",
        width=6,
        cell=_error_cell,
        sort=lambda r: abs(r.error),
        is_right=True,
    ),
    _score("text"),
    _score("audio"),
    _score("vision"),
    Column(
        key="transcript",
        title="transcript",
        width=20,
        cell=lambda r: Cell(r.transcript),
        grows=True,
        rank=1,
    ),
)

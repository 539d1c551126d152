"""`setgf eval`: a finished run's best weights, scored again, on other data or with less to see."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from setgf.cli.completion import complete_run, complete_store
from setgf.cli.output import note, say_json

if TYPE_CHECKING:
    from setgf.cli.eval_request import Missing
    from setgf.cli.eval_shown import Shown
    from setgf.home import Home
    from setgf.runs.folder import RunFolder
    from setgf.terms import Modality
    from setgf.training.again import Again
    from setgf.training.drop import RatePoint
    from setgf.training.evaluate import Evaluation

Device = Literal["auto", "cpu", "cuda"]


def evaluate(
    run_id: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="Id of the run, or its first characters.",
            autocompletion=complete_run,
        ),
    ],
    split: Annotated[
        Literal["valid", "test"],
        typer.Option(help="Split to score; choose nothing by the test split."),
    ] = "test",
    data: Annotated[
        str | None,
        typer.Option(
            help="Another feature store (`setgf data list`).", autocompletion=complete_store
        ),
    ] = None,
    drop: Annotated[
        str | None,
        typer.Option(metavar="MODALITIES", help="Without these: audio or audio,vision."),
    ] = None,
    missing_rate: Annotated[
        str | None,
        typer.Option(metavar="RATES", help="Modalities missing at random: 0.3, 0,0.5 or 0-0.9."),
    ] = None,
    missing_seeds: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Draws a rate; default: 5.")
    ] = None,
    keep_one: Annotated[
        bool, typer.Option("--keep-one", help="Every sample keeps one modality.")
    ] = False,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metric", "-m", help="Drawn over the rates; may be repeated; default: mae or acc3."
        ),
    ] = None,
    save_plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the curves as a picture (.svg) or text (.txt)."),
    ] = None,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = "auto",
    earlier: Annotated[
        bool, typer.Option("--list", help="Show what was scored before instead.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print every metric as CSV.")] = False,
) -> None:
    """Score the best weights of a finished run again: to check, on other data, or with less to see.

    A missing modality has length zero. What is found is kept beside the run, apart from its own
    metrics, and never used to choose an epoch, a setting or a model.

    Example: setgf eval 4kz2 --missing-rate 0-0.9 --missing-seeds 5
    """
    from setgf.cli.eval_request import read_missing
    from setgf.cli.eval_shown import Shown
    from setgf.errors import ConfigError
    from setgf.home import find_home
    from setgf.runs.find import find_run

    if as_json and as_csv:
        raise ConfigError("Name either `--json` or `--csv`, not both.")
    missing = read_missing(drop, missing_rate, missing_seeds, keep_one=keep_one)
    shown = Shown(metrics=tuple(metrics or ()), picture=save_plot, as_json=as_json, as_csv=as_csv)
    shown.check_picture(is_swept=bool(missing.rates), is_chosen=metrics is not None)
    home = find_home()
    folder = find_run(home, run_id)
    if earlier:
        _list(folder, as_json=as_json)
        return
    asked = _Asked(split=split, data=data, missing=missing, device=device)
    _run(home, folder, asked, shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is to be scored."""

    split: str
    data: str | None
    missing: Missing
    device: Device


def _run(home: Home, folder: RunFolder, asked: _Asked, shown: Shown) -> None:
    """Score, keep what was found, and print it."""
    from setgf.cli.eval_request import check_seen
    from setgf.cli.eval_text import ScoredOnce, SweptRates
    from setgf.config import ExperimentConfig
    from setgf.worker.child import prepare_threads

    prepare_threads(ExperimentConfig())
    # From here on torch is loaded.
    from setgf.terms import Split, Task
    from setgf.training.again import open_again
    from setgf.training.trained_run import check_finished, read_trained_run

    trained = read_trained_run(folder)
    if asked.split == Split.TEST or asked.data is not None:
        check_finished(trained)
    missing, left = asked.missing, check_seen(asked.missing, trained.config)
    task = Task(trained.config.train.task)
    if not shown.metrics:
        shown = replace(shown, metrics=("acc3" if task is Task.CLASSIFICATION else "mae",))
    shown.check_metrics(trained.identity.dataset, task)
    again = open_again(
        home, trained, split=Split(asked.split), data=asked.data, device=asked.device
    )
    for warning in again.warnings:
        note(f"setgf: warning: {warning}")
    if missing.rates:
        found = SweptRates(again, missing, tuple(_sweep(again, missing, left, shown)))
    else:
        found = ScoredOnce(again, missing, _score(again, missing))
    kept = found.to_plain()
    before = _keep(home, again, kept)
    shown.show(found, kept)
    _tell(again, before)


def _score(again: Again, missing: Missing) -> Evaluation:
    from setgf.training.drop import drop_always
    from setgf.training.evaluate import evaluate

    return evaluate(again.model, drop_always(again.source, missing.drop), again.split)


def _sweep(
    again: Again, missing: Missing, left: tuple[Modality, ...], shown: Shown
) -> Iterator[RatePoint]:
    """Yield what is found at every rate, and say how far it is where somebody waits."""
    from setgf.training.drop import MissingPattern, drop_always, sweep_missing

    patterns = [
        MissingPattern(modalities=left, seed=seed, keep_one=missing.keep_one)
        for seed in missing.seeds
    ]
    # Nothing is trained, so the encoder may keep its states: it reads every text once.
    again.model.network.text_encoder.freeze()
    source = drop_always(again.source, missing.drop)
    points = sweep_missing(again.model, source, again.split, rates=missing.rates, patterns=patterns)
    for place, point in enumerate(points, 1):
        shown.check_branches(point.metrics, again.split)
        if sys.stderr.isatty():
            note(f"rate {point.rate:g}  ({place} of {len(missing.rates)})")
        yield point


def _keep(home: Home, again: Again, plain: Mapping[str, Any]) -> int:
    """Keep an evaluation beside the run; return how often its test split was scored before."""
    from setgf.cli.job_words import actor
    from setgf.errors import RunFolderError
    from setgf.runs.evaluations import add_evaluation, read_evaluations

    folder = again.run.folder
    before = sum(
        one.get("split") == "test" and one.get("data", {}).get("is_own", False)
        for one in read_evaluations(folder)
    )
    try:
        add_evaluation(folder, {"at": time.time(), "by": actor(), **plain})
    except RunFolderError as error:
        note(f"setgf: warning: what was found could not be kept beside the run: {error}")
    _add_event(home, again, plain)
    return before


def _add_event(home: Home, again: Again, plain: Mapping[str, Any]) -> None:
    """Say in the run database that a run was evaluated; one that is not there is no error."""
    from sqlalchemy.exc import SQLAlchemyError

    from db.engine import open_database
    from db.errors import DatabaseError
    from db.events import add_event
    from setgf.cli.job_words import actor

    dropped = f" without {', '.join(plain['drop'])}" if plain["drop"] else ""
    swept = " with modalities missing at random" if plain["missing"] else ""
    why = f"evaluated on {plain['split']} of {plain['data']['name']}{dropped}{swept}"
    with (
        suppress(DatabaseError, SQLAlchemyError, OSError),
        closing(open_database(home.database_url, create=False)) as database,
        database.write() as connection,
    ):
        add_event(connection, "run", now=time.time(), why=why, actor=actor(), run_id=again.run.id)


def _tell(again: Again, before: int) -> None:
    """Say what the numbers are, and what they are not."""
    epoch = again.run.best().epoch
    note(
        f"Best weights of run {again.run.id}, from epoch {epoch}. Kept in "
        f"{again.run.folder.path / 'evaluations.jsonl'}; the run's own metrics stay as they are."
    )
    if again.split == "test" and again.is_own and before:
        times = "once" if before == 1 else f"{before} times"
        note(
            f"`setgf eval` had scored the test split of this run {times} before: choose no epoch, "
            "setting or model by it."
        )


def _list(folder: RunFolder, *, as_json: bool) -> None:
    """Print what was scored before."""
    from setgf.cli.eval_text import show_earlier
    from setgf.runs.evaluations import read_evaluations

    found = read_evaluations(folder)
    if as_json:
        say_json(found)
    elif not found:
        note(f"Nothing was scored again of run {folder.id}. See `setgf eval --help`.")
    else:
        show_earlier(found)

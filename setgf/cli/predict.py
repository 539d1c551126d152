"""`setgf predict`: scores of texts and clips nobody has labelled, with every branch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from setgf.cli.completion import complete_run, complete_store
from setgf.cli.output import note, say, say_json

if TYPE_CHECKING:
    from setgf.home import Home
    from setgf.training.predictions import Predictions
    from setgf.training.saved_model import SavedModel

LONGEST_TEXT = 48


def predict(
    model: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FOLDER",
            help="Id of a finished run, or the folder of an exported model.",
            autocompletion=complete_run,
        ),
    ],
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="A .csv with a column `text`, or a pickle of samples as MMSA-FET writes it.",
        ),
    ] = None,
    texts: Annotated[
        list[str] | None, typer.Option("--text", help="A text to score; may be repeated.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="A feature store instead of a file.", autocompletion=complete_store),
    ] = None,
    split: Annotated[
        Literal["train", "valid", "test"] | None,
        typer.Option(help="Split of the feature store; default: test."),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER", help="Text encoder of an export, where it is not found by its name."
        ),
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Where to compute.")
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table as CSV.")] = False,
) -> None:
    """Score texts or clips with a trained model: fusion, every branch, the classes they mean.

    Labels are not needed. Audio and vision that a sample lacks count as nothing (length zero);
    features must be extracted as those the model was trained on.

    Example: setgf predict 4kz2 --text "I loved every minute of it."
    """
    from setgf.config import ExperimentConfig
    from setgf.errors import ConfigError
    from setgf.home import find_home
    from setgf.worker.child import prepare_threads

    if as_json and as_csv:
        raise ConfigError("Name either `--json` or `--csv`, not both.")
    if sum((file is not None, bool(texts), data is not None)) != 1:
        raise ConfigError(
            "Name what to score: either `--text`, or a file, or a feature store with `--data`."
        )
    if split is not None and data is None:
        raise ConfigError("`--split` goes with `--data`: it is a split of a feature store.")
    if any(not text.strip() for text in texts or ()):
        raise ConfigError("`--text` must not be empty.")
    prepare_threads(ExperimentConfig())
    home = find_home()
    loaded = _load(home, model, encoder, device)
    found = _predict(home, loaded, texts or (), file, data, split or "test")
    for warning in found.warnings:
        note(f"setgf: warning: {warning}")
    if as_json:
        say_json({"model": dict(loaded.about), "samples": list(found.rows())})
    elif as_csv:
        _say_csv(found)
    else:
        _say_table(found)


def _load(
    home: Home, model: str, encoder: str | None, device: Literal["auto", "cpu", "cuda"]
) -> SavedModel:
    """Return the model of an export's folder or of a finished run."""
    from setgf.errors import ConfigError
    from setgf.runs.find import find_run
    from setgf.training.saved_model import load
    from setgf.training.trained_run import (
        check_finished,
        load_trained,
        open_run_store,
        read_trained_run,
    )

    if Path(model).is_dir() or "/" in model:
        return load(Path(model), device=device, encoder=encoder)
    if encoder is not None:
        raise ConfigError(
            "`--encoder` goes with the folder of an exported model; a run names its own."
        )
    run = read_trained_run(find_run(home, model))
    check_finished(run)
    return load_trained(run, open_run_store(home, run), device=device)


def _predict(
    home: Home,
    model: SavedModel,
    texts: Sequence[str],
    file: Path | None,
    data: str | None,
    split: str,
) -> Predictions:
    from setgf.data.sample_file import Samples, read_samples
    from setgf.data.store import open_store
    from setgf.terms import Split

    if texts:
        return model.predict(texts)
    if file is not None:
        return model.predict_samples(read_samples(file))
    assert data is not None, "one of the three is named"
    store = open_store(home, data)
    samples = Samples(
        data=store.split(Split(split)), modalities=store.manifest.modalities, remarks=()
    )
    return model.predict_samples(samples, vocabulary=store.manifest.vocabulary)


def _say_table(found: Predictions) -> None:
    from setgf.cli.run_text import say_plain_table

    branches = [branch for branch in found.scores if branch != "fusion"]
    finest = max(found.class_counts)
    names = found.classes(3)
    fine = found.classes(finest) if finest > 3 else None
    fine_head = () if fine is None else (f"of {finest}",)
    extra = () if found.calibrated is None else ("calibrated",)
    rows = [
        (
            sample_id,
            f"{found.fusion[place]:+.3f}",
            *(f"{value:+.3f}" for value in _calibrated(found, place)),
            names[place],
            *(() if fine is None else (fine[place],)),
            *(f"{found.scores[branch][place]:+.3f}" for branch in branches),
            _short(found.transcripts[place]),
        )
        for place, sample_id in enumerate(found.ids)
    ]
    heads = ("sample", "score", *extra, "class", *fine_head, *map(str, branches), "transcript")
    say_plain_table(heads, rows, right={"score", *extra, *fine_head, *map(str, branches)})
    if found.logits:
        note(
            "The model predicts classes: a score is 0.9 x class (-1, 0, 1) + 0.1 x (p(positive) - "
            "p(negative)); `--json` has all probabilities."
        )
        return
    limit = found.dataset.label_limit
    note(f"Scores are on the scale of {found.dataset}: {-limit:g} (negative) to {limit:g}.")


def _say_csv(found: Predictions) -> None:
    from setgf.runs.csv_lines import CsvLines

    csv = CsvLines()
    for row in _csv_rows(found):
        cells = [repr(cell) if isinstance(cell, float) else str(cell) for cell in row]
        say(csv.line(cells).rstrip("\r\n"))


def _csv_rows(found: Predictions) -> Iterator[Sequence[Any]]:
    """Yield heading and rows: branches as in a run's own predictions, then classes."""
    from setgf.terms import BRANCHES

    branches, counts = [str(branch) for branch in BRANCHES[1:]], found.class_counts
    classes = [f"class{count}" for count in counts]
    extra = () if found.calibrated is None else ("calibrated",)
    yield ("sample_id", "prediction", *branches, *classes, *extra, "transcript")
    for row in found.rows():
        yield (
            row["id"],
            row["score"],
            *(row["branches"].get(branch, "") for branch in branches),
            *(row["classes"][str(count)] for count in counts),
            *(row[name] for name in extra),
            row["transcript"],
        )


def _calibrated(found: Predictions, place: int) -> tuple[float, ...]:
    """Return the calibrated score of a sample, or nothing."""
    return () if found.calibrated is None else (float(found.calibrated[place]),)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 3]}..."

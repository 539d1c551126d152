"""`setgf data split`: the samples of a store in new splits, or in folds."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from setgf.cli.completion import complete_store
from setgf.cli.output import note, say
from setgf.errors import ConfigError
from setgf.home import find_home

_SUM_OFF = 1e-6


class By(StrEnum):
    """What is kept together."""

    VIDEO = "video"
    RANDOM = "random"


def split_command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Feature store to split anew.", autocompletion=complete_store
        ),
    ],
    new: Annotated[str, typer.Option("--as", metavar="NEW", help="Name of the new feature store.")],
    by: Annotated[
        By, typer.Option(help="Keep the clips of a video together, or deal out single samples.")
    ] = By.VIDEO,
    seed: Annotated[int, typer.Option(min=0, help="Seed; the same seed, the same splits.")] = 0,
    sizes: Annotated[
        str, typer.Option(metavar="SHARES", help="Shares of train, valid and test.")
    ] = "0.7,0.1,0.2",
    folds: Annotated[
        int | None,
        typer.Option(help="Cross-validation: that many stores, NEW-fold1, NEW-fold2 and so on."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace stores of those names.")] = False,
) -> None:
    """Make a feature store of the same samples with other splits.

    By video, no video and so no speaker of one is in two splits. With --folds, fold i tests on
    part i, validates on the next part and trains on the others: every sample is tested on once.
    The new stores are whole ones; each takes as much of the disk as NAME.

    Example: setgf data split mosi --as mosi-seed7 --by video --seed 7 --sizes 0.7,0.1,0.2

    Example: setgf data split mosi --as mosi --folds 5, then
    setgf queue add --data 'mosi-fold*' --model setgf,text_only
    """
    from setgf.data.report_text import describe_briefly
    from setgf.data.splits import NewSplits, SplitBy, fold_store, split_store
    from setgf.data.store import open_store

    home = find_home()
    wanted = NewSplits(by=SplitBy(by), seed=seed, shares=_read_shares(sizes))
    if folds is not None and wanted.shares != NewSplits().shares:
        raise ConfigError("`--sizes` and `--folds` exclude each other: folds are of equal size.")
    store = open_store(home, name)
    if folds is None:
        made = (split_store(home, store, new, wanted, force=force),)
    else:
        made = fold_store(home, store, new, wanted, folds, force=force)
    for one in made:
        say(f"Made `{one.name}`: {describe_briefly(one)}.")
        for remark in one.manifest.report["remarks"]:
            note(f"remark: {remark}")
    if len(made) > 1:
        note(f"Train all of them with `setgf queue add --data '{new}-fold*'`.")


def _read_shares(text: str) -> tuple[float, float, float]:
    """Read the shares of train, valid and test."""
    try:
        train, valid, test = (float(part) for part in text.split(","))
    except ValueError:
        train, valid, test = 0.0, 0.0, 0.0
    if min(train, valid, test) <= 0 or abs(train + valid + test - 1) > _SUM_OFF:
        raise ConfigError(
            f"`--sizes` is `{text}`, but must be three shares above 0 that add up to 1, "
            "such as 0.7,0.1,0.2."
        )
    return train, valid, test

"""`setgf compare`: models over their seeds, beside the published results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from setgf.cli.output import make_console, note, say, say_json
from setgf.runs.csv_lines import CsvLines
from setgf.terms import Dataset, Split, Task

if TYPE_CHECKING:
    from db.records import Run
    from setgf.analysis.comparison import Comparison
    from setgf.analysis.published import PublishedRow
    from setgf.data.store import FeatureStore

NOTHING_YET = (
    "No run{which} has finished yet. Queue some with `setgf queue add --data NAME --model setgf "
    "--seeds 1111-1115`, then `setgf worker start --drain`."
)


def compare(
    dataset: Annotated[Dataset | None, typer.Option(help="Only runs on this data set.")] = None,
    data: Annotated[str | None, typer.Option(help="Only runs on this feature store.")] = None,
    group: Annotated[str | None, typer.Option(help="Only runs of this group.")] = None,
    where: Annotated[
        str | None, typer.Option(help='Only runs that match a filter, as `model == "setgf"`.')
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="Metric to show; can be given several times.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="Model the others' MAE (acc3 of classes) is tested against.")
    ] = None,
    published: Annotated[
        bool | None,
        typer.Option(
            help="Published results, too; by default where a store has the official test split."
        ),
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        Literal["table", "json", "csv", "markdown"],
        typer.Option(help="Rounded for reading, or unrounded data."),
    ] = "table",
) -> None:
    """Compare models: mean and deviation over seeds, floors, and published results.

    Example: setgf compare --data mosi --baseline text_only
    """
    runs = _find_runs(dataset=dataset, data=data, group=group, where=where)
    comparisons = list(_compare(runs, dataset=dataset, baseline=baseline, published=published))
    names = metric or []
    _check_metrics(names, comparisons)
    if format == "json":
        say_json([comparison.to_dict() for comparison in comparisons])
    elif format == "csv":
        say(_to_csv(comparisons))
    else:
        _show(comparisons, names, is_markdown=format == "markdown")
    if not any(row.n for comparison in comparisons for row in comparison.rows):
        chosen = any(option is not None for option in (dataset, data, group, where))
        note(NOTHING_YET.format(which=" like that" if chosen else ""))


def _find_runs(
    *, dataset: Dataset | None, data: str | None, group: str | None, where: str | None
) -> list[Run]:
    from setgf.cli.stored_runs import read_runs

    return [
        run
        for run in read_runs(where=where)
        if (dataset is None or run.dataset == dataset)
        and (data is None or run.data_name == data)
        and (group is None or group in (run.group_name, str(run.group_id)))
    ]


def _compare(
    runs: Sequence[Run], *, dataset: Dataset | None, baseline: str | None, published: bool | None
) -> Iterator[Comparison]:
    """Yield one comparison a data set and task that has runs, or a data set asked for."""
    from setgf.analysis.comparison import Comparison, differences_to
    from setgf.analysis.floors import floors
    from setgf.analysis.leaderboard import leaderboard

    for each, task in product(Dataset, Task):
        rows = leaderboard(runs, dataset=each, task=task)
        if not rows and (each is not dataset or task is not Task.REGRESSION):
            continue
        stores = tuple(_open_stores({row.data_name for row in rows}, each))
        yield Comparison(
            dataset=each,
            rows=rows,
            task=task,
            floors=tuple(floor for store in stores for floor in floors(store, task)),
            published=(
                _published(each, stores, asked=published) if task is Task.REGRESSION else ()
            ),
            differences=differences_to(rows, baseline) if baseline else {},
            baseline=baseline,
        )


def _published(
    dataset: Dataset, stores: Sequence[FeatureStore], *, asked: bool | None
) -> tuple[PublishedRow, ...]:
    """Return published results where they may stand beside ours, or were asked for."""
    from setgf.analysis.published import TEST_SIZES, is_comparable
    from setgf.analysis.published import published as published_results

    sizes = {store.name: store.manifest.sizes[Split.TEST] for store in stores}
    if asked is None and sizes and not any(is_comparable(dataset, n) for n in sizes.values()):
        ours = ", ".join(f"`{name}` has {size:,}" for name, size in sizes.items())
        note(
            f"Published results on {dataset} are left out: they are of {TEST_SIZES[dataset]:,} "
            f"test samples, but {ours}. `--published` shows them."
        )
        return ()
    return published_results(dataset) if asked is not False else ()


def _open_stores(names: set[str], dataset: Dataset) -> Iterator[FeatureStore]:
    """Yield every store that is still there; without it there is no floor to show."""
    from setgf.data.store import open_store
    from setgf.errors import DataError
    from setgf.home import find_home

    for name in sorted(names):
        try:
            store = open_store(find_home(), name)
            if store.manifest.dataset == dataset:
                yield store
        except DataError as error:
            note(f"No floors for `{name}`: {error}")


def _check_metrics(names: Sequence[str], comparisons: Sequence[Comparison]) -> None:
    from setgf.errors import ConfigError

    for comparison in comparisons:
        known = comparison.metric_names
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ConfigError(
                f"{comparison.title} has no metric `{unknown[0]}`; it has {', '.join(known)}."
            )


def _show(comparisons: Sequence[Comparison], names: Sequence[str], *, is_markdown: bool) -> None:
    from setgf.analysis.sections import shown_metrics
    from setgf.cli.compare_table import legend, render_markdown, render_table

    console = make_console()
    for place, comparison in enumerate(comparisons):
        chosen = names or shown_metrics(comparison.dataset, comparison.task)
        if place:
            say("")
        if is_markdown:
            say("\n".join(render_markdown(comparison, chosen)))
        else:
            console.print(render_table(comparison, chosen, console))
            console.print("\n".join(legend(comparison, chosen)), style="dim")


def _to_csv(comparisons: Sequence[Comparison]) -> str:
    from setgf.analysis.comparison import RECORD_COLUMNS

    csv = CsvLines()
    lines = [csv.line(RECORD_COLUMNS)]
    for comparison in comparisons:
        lines += [
            csv.line(record.get(name) for name in RECORD_COLUMNS)
            for record in comparison.to_records()
        ]
    return "".join(lines).removesuffix("\n")

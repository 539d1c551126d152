"""`setgf model`: what a model costs, and how it leaves this home."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from setgf.cli.completion import (
    complete_model,
    complete_preset,
    complete_run,
    complete_setting,
    complete_store,
)
from setgf.cli.output import note, say, say_json
from setgf.model.registry import network_names

if TYPE_CHECKING:
    from setgf.config import ExperimentConfig
    from setgf.home import Home
    from setgf.model.summary import ModuleSummary
    from setgf.training.costs import Costs

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="What models cost; exporting trained ones."
)
MIB, KIB = 1 << 20, 1 << 10


@app.command("summary")
def summary(
    run_id: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="Id of a run, or its first characters; else name data and model.",
            autocompletion=complete_run,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Feature store (`setgf data list`).", autocompletion=complete_store),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help=f"Models, separated by commas, or all: {', '.join(network_names())}.",
            autocompletion=complete_model,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SETTING=VALUE",
            help="A setting (`setgf config`).",
            autocompletion=complete_setting,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Preset, or a .toml file; default: the data set's.", autocompletion=complete_preset
        ),
    ] = None,
    depth: Annotated[
        int, typer.Option(min=1, max=9, help="How far modules in modules are told.")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print exact numbers as JSON.")] = False,
) -> None:
    """Show what a model costs: parameters, operations a sample, memory; module by module.

    Measured on the train split's sample of middle length. Several models are told a row each.

    Example: setgf model summary --data mosi --model setgf,tfn --set text.finetune=false
    """
    from setgf.errors import ConfigError
    from setgf.home import find_home
    from setgf.worker.child import prepare_threads

    home = find_home()
    if (run_id is None) == (data is None):
        raise ConfigError(
            "Name either a run, or `--data` with `--model` and settings as for `setgf train`."
        )
    if run_id is not None:
        if model is not None or settings or preset is not None:
            raise ConfigError("A run has its own model and settings; name `--data` to choose them.")
        configs = [_config_of(home, run_id)]
    else:
        configs = _plan(home, str(data), model or "setgf", settings or (), preset)
    prepare_threads(configs[0])
    from setgf.training.costs import measure

    found = [measure(home, config, depth=depth) for config in configs]
    if as_json:
        plain = [one.to_plain() for one in found]
        say_json(plain[0] if len(plain) == 1 else plain)
    elif len(found) == 1:
        _say_modules(found[0])
    else:
        _say_models(found)


@app.command("export")
def export(
    run_id: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="Id of a finished run, or its first characters.",
            autocompletion=complete_run,
        ),
    ],
    folder: Annotated[Path, typer.Argument(help="Folder to make.")],
    with_encoder: Annotated[
        bool,
        typer.Option("--with-encoder", help="Put the text encoder in: no other file needed."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a model that was exported there.")
    ] = False,
) -> None:
    """Write a finished run's model into a folder: weights, settings, scaling, tokenizer, a card.

    `setgf predict FOLDER` and `setgf.training.saved_model.load` read it, without the feature store
    and the run database. It holds safetensors and JSON: nothing in it runs code.

    Example: setgf model export 4kz2 exports/mosi
    """
    from setgf.config import ExperimentConfig
    from setgf.home import find_home, users_umask
    from setgf.runs.find import find_run
    from setgf.worker.child import prepare_threads

    home = find_home()
    run = find_run(home, run_id)
    prepare_threads(ExperimentConfig())
    from setgf.training.export import check_target, export_model
    from setgf.training.trained_run import check_finished, read_trained_run

    check_target(folder, force=force)
    trained = read_trained_run(run)
    check_finished(trained)
    with users_umask():
        written = export_model(home, trained, folder, with_encoder=with_encoder, force=force)
    size = sum(facts.size for facts in written.values())
    say(f"Exported run {run.id} to {folder}: {len(written)} files, {size / MIB:.1f} MiB.")
    place = f"{folder}" if "/" in str(folder) else f"{folder}/"
    note(f'Score with it: setgf predict {place} --text "..."')


def _config_of(home: Home, run_id: str) -> ExperimentConfig:
    """Return the settings of a run; how far it came does not matter."""
    from setgf.config import config_from_dict
    from setgf.runs.find import find_run

    run = find_run(home, run_id)
    return config_from_dict(run.config(), where=str(run.path / "config.json"))


def _plan(
    home: Home, data: str, model: str, settings: Sequence[str], preset: str | None
) -> list[ExperimentConfig]:
    """Return checked settings, as `setgf train` would take them, for every model."""
    from setgf.config import config_from_dict, parse_assignments
    from setgf.worker.submit import Request, plan_jobs

    models = network_names() if model == "all" else tuple(model.split(","))
    request = Request(
        data_name=data, models=models, settings=parse_assignments(settings), preset=preset
    )
    return [config_from_dict(job.config) for job in plan_jobs(home, request)]


def _say_modules(found: Costs) -> None:
    """Print a row a module, the whole last, and what training takes."""
    from setgf.cli.run_text import say_plain_table

    summary = found.summary
    rows = [_row(module.name, module) for module in summary.modules]
    rows.append(_row(f"{found.model} with {found.encoder}", summary.whole))
    heads = ("module", "parameters", "trainable", "MFLOPs", "weights MiB", "kept KiB")
    say_plain_table(heads, rows, right=set(heads[1:]))
    lengths = summary.lengths
    note(
        f"MFLOPs: forward pass of one sample of `{found.data_name}` ({lengths['text']} word "
        f"pieces, {lengths['audio']} steps of audio, {lengths['vision']} of vision). Kept: for the "
        "backward pass, a sample."
    )
    whole = summary.whole
    kept = found.batch_size * whole.kept_bytes
    note(
        f"Training at batch {found.batch_size} holds about {found.training_bytes / MIB:.0f} MiB: "
        f"weights {whole.weight_bytes / MIB:.0f}, gradients {summary.gradient_bytes / MIB:.0f}, "
        f"optimizer {summary.optimizer_bytes / MIB:.0f}, batch {kept / MIB:.0f}."
    )


def _say_models(found: Sequence[Costs]) -> None:
    """Print a row a model."""
    from setgf.cli.run_text import say_plain_table

    rows = [
        (*_row(one.model, one.summary.whole), f"{one.training_bytes / MIB:.0f}") for one in found
    ]
    heads = (
        *("model", "parameters", "trainable", "MFLOPs", "weights MiB", "kept KiB"),
        "training MiB",
    )
    say_plain_table(heads, rows, right=set(heads[1:]))
    first = found[0]
    note(
        f"Text encoder `{first.encoder}`, one sample of `{first.data_name}`; training at batch "
        f"{', '.join(sorted({str(one.batch_size) for one in found}))}."
    )


def _row(name: str, module: ModuleSummary) -> tuple[str, ...]:
    return (
        name,
        f"{module.parameters:,}",
        f"{module.trainable:,}",
        f"{module.flops / 1e6:,.1f}",
        f"{module.weight_bytes / MIB:.1f}",
        f"{module.kept_bytes / KIB:,.0f}",
    )

"""`setgf config`: every setting, its value, its default and what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from setgf.cli.completion import complete_preset, complete_setting_name
from setgf.cli.output import say, say_json, say_table

if TYPE_CHECKING:
    from setgf.config import ExperimentConfig


def config(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SETTING]...", help="Show only these.", autocompletion=complete_setting_name
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="Preset, or a .toml file.", autocompletion=complete_preset),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="SETTING=VALUE", help="A setting.")
    ] = None,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only what differs from the default.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the settings: value, default and meaning.

    Without `--preset` the values are the defaults; a run takes the preset of its data set.

    Example: setgf config --preset mosi --set lr=1e-4 --changed
    """
    from setgf.config import full_name, preset_names

    chosen = _build(preset, settings or [])
    shown = {full_name(name) for name in names or []}
    rows = [
        row
        for row in _describe(chosen)
        if (not shown or row["setting"] in shown) and (not changed or row["changed"])
    ]
    if as_json:
        say_json(rows)
        return
    if shown and len(rows) == 1:
        row = rows[0]
        say(f"{row['setting']} = {row['value']} (default {row['default']})\n{row['meaning']}")
        return
    say_table(
        ("setting", "value", "default", "meaning"),
        [
            (
                row["setting"],
                _show(row["value"]),
                _show(row["default"]) if row["changed"] else "",
                row["meaning"],
            )
            for row in rows
        ],
    )
    if not shown and not changed:
        say(f"\nPresets: {', '.join(preset_names())}. Use with `--preset`, or a .toml file.")


def _build(preset: str | None, settings: list[str]) -> ExperimentConfig:
    from setgf.config import (
        ExperimentConfig,
        config_from_dict,
        load_preset,
        override,
        parse_assignments,
    )

    base = ExperimentConfig()
    if preset is not None:
        base = config_from_dict(load_preset(preset), where=f"preset {preset}")
    return override(base, parse_assignments(settings))


def _describe(chosen: ExperimentConfig) -> list[dict[str, Any]]:
    from setgf.config import describe_settings

    values = chosen.flatten()
    return [
        {
            "setting": name,
            "value": values[name],
            "default": default,
            "changed": values[name] != default,
            "meaning": " ".join(sentence.split()),
        }
        for name, (default, sentence) in describe_settings().items()
    ]


def _show(value: Any) -> str:
    """Return a value as it is written after `--set name=`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ",".join(str(part) for part in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return f"{value:g}" if isinstance(value, float) else str(value)

"""`setgf data`: feature stores, from a feature file or made up."""

from __future__ import annotations

import typer

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Feature stores: import, make, list, show."
)


@app.command("list")
def list_command() -> None:
    """List the feature stores."""

"""Owned by its helper; being written."""

import typer

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

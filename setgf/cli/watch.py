"""Owned by its helper; being written."""


def watch() -> None:
    """Being written."""

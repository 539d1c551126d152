"""Owned by its helper; being written."""


def metrics() -> None:
    """Being written."""

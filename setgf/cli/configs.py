"""Owned by its helper; being written."""


def config() -> None:
    """Being written."""

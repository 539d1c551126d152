"""Owned by its helper; being written."""


def dashboard() -> None:
    """Being written."""

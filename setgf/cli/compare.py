"""Owned by its helper; being written."""


def compare() -> None:
    """Being written."""

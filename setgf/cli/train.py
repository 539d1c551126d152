"""Owned by its helper; being written."""


def train() -> None:
    """Being written."""

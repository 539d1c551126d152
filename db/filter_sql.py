"""Filters and orders as SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection

from db.tables import runs


def where_clause(connection: Connection, text: str, *, now: float) -> ColumnElement[bool]:
    """Return the condition on `runs` that a filter means."""
    raise AssertionError


def order_by(connection: Connection, text: str | None) -> tuple[ColumnElement[Any], ...]:
    """Return the order."""
    return (runs.c.created_at.desc(), runs.c.id)

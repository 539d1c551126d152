"""Filters and orders for queries made with SQLAlchemy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, TextClause, text

from db.filter_names import Execute, Names
from db.filter_sql import order_sql, where_sql
from db.tables import runs


def executor(connection: Connection) -> Execute:
    """Return what runs the SELECTs that look names up."""

    def execute(query: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        return connection.execute(text(query), parameters).all()

    return execute


def where_clause(connection: Connection, words: str, *, now: float) -> TextClause:
    """Return the condition on `runs` that a filter means.

    Args:
        connection: in a transaction; the names of settings and metrics are looked up in it.
        words: the filter.
        now: seconds since the epoch; durations count back from it.

    Raises:
        FilterError: the filter can't be read; shows where.
    """
    names = Names(executor(connection), prefix="where")
    condition = where_sql(names, words, now=now, dialect=connection.dialect.name)
    return text(condition).bindparams(**names.parameters)


def order_by(
    connection: Connection, words: str | None
) -> tuple[TextClause | ColumnElement[Any], ...]:
    """Return the order that `-test.acc7, seed` means; missing values last, then the newest first.

    Raises:
        FilterError: a name is not known.
    """
    names = Names(executor(connection), prefix="order")
    terms = order_sql(names, words)
    chosen = (text(", ".join(terms)).bindparams(**names.parameters),) if terms else ()
    return (*chosen, runs.c.created_at.desc(), runs.c.id)

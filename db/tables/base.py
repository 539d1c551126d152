"""What every table shares: the metadata, and the words that may stand in a state column."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import BigInteger, CheckConstraint, Integer, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

WIDE = BigInteger().with_variant(Integer(), "sqlite")
"""Bytes, clock ticks, seeds: past 2**31 on PostgreSQL too; SQLite's integers are always wide."""


def one_of(column: str, words: Iterable[str]) -> CheckConstraint:
    """Return the constraint that `column` holds one of `words`."""
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def quoted(words: Iterable[str]) -> str:
    """Return words as the inside of an SQL `IN (...)`."""
    return ", ".join(f"'{word}'" for word in words)

"""The base of every row: one schema, with constraint names that migrations can rely on."""

from typing import Any

from sqlalchemy import BigInteger, DateTime, MetaData, func
from sqlmodel import Field, SQLModel


class Row(SQLModel):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )


def row_id() -> Any:
    """A bigint that Postgres hands out."""
    return Field(default=None, primary_key=True, sa_type=BigInteger)


def moment(*, index: bool = False, primary_key: bool = False) -> Any:
    """A point in time, with its zone."""
    return Field(index=index, primary_key=primary_key, sa_type=DateTime(timezone=True))


def created() -> Any:
    """The moment the row was made, by Postgres's clock."""
    return Field(sa_type=DateTime(timezone=True), sa_column_kwargs={"server_default": func.now()})

"""The one MetaData that all tables belong to, with names for every constraint so that migrations can find them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, MetaData
from sqlalchemy.types import TypeEngine

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def col(
    name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]], meaning: str, *args: Any, **kwargs: Any
) -> Column[Any]:
    """A column whose meaning (unit; source) is stored with it; NOT NULL unless said otherwise."""
    kwargs.setdefault("nullable", False)
    return Column(name, kind, *args, comment=meaning, **kwargs)

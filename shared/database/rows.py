"""Any number of rows as the parameters of one statement, whose text never changes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, ColumnClause, ColumnElement, bindparam, column, func, select, tuple_
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.orm import DeclarativeBase, QueryableAttribute

Column = QueryableAttribute[Any] | ColumnClause[Any]
"""A column of a table, or one of this name and type that is given along: `column("until", …)`."""

_ORDINALITY = "given_ordinality"


class Rows:
    """A table made of parameters: `FROM unnest(:given_brand_id, :given_id) AS given (…)`.

    `insert().values(rows)` and `in_(keys)` are another text for every number of rows, which
    SQLAlchemy compiles and PostgreSQL plans anew: some ten times the cost for a hundred rows.
    """

    def __init__(self, *columns: Column, name: str = "given") -> None:
        """Give each a name of its own where a statement has two."""
        self._columns = columns
        # An UPDATE would take a parameter with a column's own name for a value to set.
        self._names = [f"{name}_{one.key}" for one in columns]
        # One dimension, said so: a row's value that is a list itself would pass for another one.
        arrays = [
            bindparam(name, type_=ARRAY(one.expression.type, dimensions=1))
            for name, one in zip(self._names, columns, strict=True)
        ]
        shown = [column(one.key, one.expression.type) for one in columns]
        self.table = (
            func.unnest(*arrays)
            .table_valued(*shown, with_ordinality=_ORDINALITY)
            .render_derived(name=name)
        )
        self.c = self.table.c

    def of(self, rows: Iterable[tuple[object, ...]]) -> dict[str, list[object]]:
        """Return the parameters that make the table hold these rows; none at all is fine.

        Sort what locks: two transactions that write the same rows in different orders deadlock.
        """
        parameters: dict[str, list[object]] = {name: [] for name in self._names}
        lists = list(parameters.values())
        for row in rows:
            for values, value in zip(lists, row, strict=True):
                values.append(value)
        return parameters

    def insert_into(self, table: type[DeclarativeBase], *, in_order: bool = False) -> Insert:
        """Insert the rows; with `in_order` a generated id rises from the first to the last."""
        rows = select(*(self.c[one.key] for one in self._columns))
        if in_order:
            rows = rows.order_by(self.c[_ORDINALITY])
        return insert(table).from_select([one.key for one in self._columns], rows)

    def upsert_into(
        self,
        table: type[DeclarativeBase],
        *,
        newest_by: Sequence[Column] = (),
        also: Mapping[Column, ColumnElement[Any]] | None = None,
    ) -> Insert:
        """Insert, or set all that is given in the row that has the primary key already.

        With `newest_by` only where the given row is newer; `also` sets what is not given.
        """
        rows = self.insert_into(table)
        key = [one for one in self._columns if one.expression.primary_key]
        others = [one for one in self._columns if not one.expression.primary_key]
        is_newer = tuple_(*newest_by) < tuple_(*(rows.excluded[one.key] for one in newest_by))
        return rows.on_conflict_do_update(
            index_elements=key,
            set_={**{one: rows.excluded[one.key] for one in others}, **(also or {})},
            where=is_newer if newest_by else None,
        )

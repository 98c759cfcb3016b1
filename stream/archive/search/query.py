"""What is searched for: ``piano and not voice`` as a condition in SQL."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from mmgat.model.labels import LABELS
from mmgat.stream.errors import StreamError


class QueryError(StreamError):
    """A query that cannot be understood, or results that cannot be searched."""


@dataclass
class Condition:
    """A query in SQL.

    Attributes:
        sql: a condition on columns, true or false at each moment of a file.
        columns: name of a column -> condition on a segment that sounds at that moment.
        labels: that are named.
    """

    sql: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)


def parse_query(text: str) -> Condition:
    """Understands labels, ``and``, ``or``, ``not``, brackets, and scores such as ``piano >= 0.8``.

    Example::

        >>> parse_query("piano and not voice").labels == {"piano", "voice"}
        True

    Raises:
        QueryError: it is none.
    """
    try:
        tree = ast.parse(text.strip().lower(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise QueryError(
            f"expected a query such as 'piano and not (voice or drums)', found {text!r}"
        ) from None
    condition = Condition()
    condition.sql = _sql(tree, condition, text)
    return condition


def _sql(node: ast.expr, condition: Condition, text: str) -> str:
    match node:
        case ast.BoolOp(op=op, values=values):
            word = " and " if isinstance(op, ast.And) else " or "
            return "(" + word.join(_sql(value, condition, text) for value in values) + ")"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return f"(not {_sql(operand, condition, text)})"
        case ast.Name(id=label):
            return _column(label, ">= 0", condition)
        case ast.Compare(
            left=ast.Name(id=label),
            ops=[ast.GtE() | ast.Gt() as operator],
            comparators=[ast.Constant(value=float() | int() as score)],
        ):
            sign = ">=" if isinstance(operator, ast.GtE) else ">"
            return _column(label, f"{sign} {float(score)!r}", condition)
    raise QueryError(
        f"expected labels, and, or, not, brackets and scores such as piano >= 0.8 in a query, found "
        f"{ast.unparse(node)!r} in {text!r}"
    )


def _column(label: str, score: str, condition: Condition) -> str:
    if label not in LABELS:
        raise QueryError(f"expected a label of {', '.join(LABELS)}, found {label!r}")
    condition.labels.add(label)
    segment = f"label = '{label}' and score {score}"
    for name, known in condition.columns.items():
        if known == segment:
            return name
    name = f"c{len(condition.columns)}"
    condition.columns[name] = segment
    return name

"""Where in a collection something sounds: results in Parquet, asked through DuckDB."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from mmgat.stream.archive.search.query import QueryError, parse_query

FETCH: Final = 1000


@dataclass(frozen=True)
class Found:
    """A stretch of a file for which a query holds.

    Attributes:
        file: as in the results.
        t0, t1: seconds.
    """

    file: str
    t0: float
    t1: float


def search(results: str, query: str, longer_s: float = 0.0) -> Iterator[Found]:
    """The stretches for which a query holds, file by file, as they follow each other.

    Every beginning and end of a segment, and of the file, is an edge; between two edges the query
    holds or not. Stretches that touch are one.

    Example::

        >>> for found in search("results", "piano and not voice", longer_s=5):
        ...     print(found.file, found.t0, found.t1)

    Args:
        results: a Parquet file; a folder of such and below; or an address that DuckDB reads, such
            as ``s3://bucket/results/**/*.parquet``.
        query: see ``parse_query``.
        longer_s: the shortest stretch, in seconds.

    Raises:
        QueryError: the query is none, or there are no such results.
    """
    condition = parse_query(query)
    labels = ", ".join(f"'{label}'" for label in sorted(condition.labels))
    states = ",\n".join(
        f"coalesce(bool_or({segment}), false) as {name}"
        for name, segment in condition.columns.items()
    )
    sql = f"""
        with files as (
            select file, any_value(seconds) as seconds, any_value(segments) as segments
            from read_parquet(?, union_by_name = true) where error is null group by file
        ),
        parts as (
            select file, s.label, s.t0, s.t1, s.score
            from (select file, unnest(segments) as s from files) where s.label in ({labels})
        ),
        edges as (
            select file, 0.0 as t from files union select file, seconds from files
            union select file, t0 from parts union select file, t1 from parts
        ),
        spans as (
            select file, t as a, lead(t) over (partition by file order by t) as b from edges
        ),
        states as (
            select spans.file, a, b, {states}
            from spans left join parts
            on parts.file = spans.file and parts.t0 <= spans.a and parts.t1 > spans.a
            where b > a group by spans.file, a, b
        ),
        holding as (
            select file, a, b,
            case when lag(b) over (partition by file order by a) = a then 0 else 1 end as begins
            from states where {condition.sql}
        ),
        stretches as (
            select file, a, b, sum(begins) over (partition by file order by a) as number from holding
        )
        select file, min(a) as t0, max(b) as t1 from stretches
        group by file, number having max(b) - min(a) >= ? order by file, t0
    """
    try:
        cursor = duckdb.connect().execute(sql, [_place(results), longer_s])
        while rows := cursor.fetchmany(FETCH):
            yield from (Found(*row) for row in rows)
    except duckdb.Error as error:
        raise QueryError(
            f"expected Parquet files of mmgat-tag in {results!r}, found {str(error).splitlines()[0]}"
        ) from None


def _place(results: str) -> str:
    path = Path(results)
    if path.is_file():
        return glob.escape(results)
    if not path.is_dir():
        return results
    if next(path.rglob("*.parquet"), None) is None:
        raise QueryError(
            f"expected Parquet files in the folder {results!r}, found none: "
            "mmgat-tag --format parquet --out FOLDER writes them"
        )
    return f"{glob.escape(str(path))}/**/*.parquet"

"""Published data sets as ``RowSet``s: one module a set."""

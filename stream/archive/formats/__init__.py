"""Forms of results: for tables, audio editors, annotation tools, and video players."""

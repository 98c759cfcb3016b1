"""Live: sources, windows, graph buffer, recogniser, engine, ZeroMQ, dashboard, command line."""

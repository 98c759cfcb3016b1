"""Where results go, besides the bus: files, the console, recordings."""

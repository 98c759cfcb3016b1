"""What keys do: move, write files, and ask something of the engine."""

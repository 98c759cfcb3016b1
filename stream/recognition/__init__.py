"""From windows to events: front end, sliding graph, recogniser, event detector."""

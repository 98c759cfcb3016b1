"""What ``mmgat-stream`` runs: a live session with its inputs and outputs, or the machine's report."""

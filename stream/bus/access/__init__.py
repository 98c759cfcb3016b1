"""Who may connect to a socket: addresses, keys, and bounds on what a peer may cost."""

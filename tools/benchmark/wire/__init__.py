"""What goes over sockets: the bus, newcomers to it, and OSC at the end of a bridge."""

"""What a command is as a process: signals, log, service manager, the dashboard as a child."""

"""From the state to lines of coloured cells."""

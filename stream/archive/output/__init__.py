"""Where results go, and the journal by which a run goes on."""

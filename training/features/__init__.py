"""Features of the systems that MMGAT is compared with."""

"""Collections: many files to results that are kept, searched and read by other programs."""

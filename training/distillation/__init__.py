"""The compact model: clips with the scores of teachers, and the embedder that learns them."""

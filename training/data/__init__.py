"""Data sets as bags of embeddings; ``registry`` has all of them."""

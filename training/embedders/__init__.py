"""Networks of others that turn sound into embeddings, from weights that the user has or downloads."""

"""Where in a collection something sounds: queries, the stretches found, and cutting them out."""

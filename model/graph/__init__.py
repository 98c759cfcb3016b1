"""The instance graph: similarity, neighbours on several scales, graph attention."""

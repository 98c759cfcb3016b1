"""What a user notices of a model, measured through the live path."""

"""The user's code: a model file with the modules beside it that it imports, as one unit with a name of its own."""

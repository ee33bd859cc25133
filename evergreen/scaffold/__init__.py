"""A model file drafted from a table. May import `monitoring`, `lifecycle` and below."""

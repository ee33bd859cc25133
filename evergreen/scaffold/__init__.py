"""A model file drafted from a stranger's table. May import `monitoring`, `lifecycle` and below."""

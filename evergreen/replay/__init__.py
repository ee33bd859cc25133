"""Retraining policies compared on a model's own history. May import `monitoring`, `lifecycle` and below."""

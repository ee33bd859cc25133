"""Training and what it is judged by."""

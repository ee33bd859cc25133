"""The checks, the verdict that follows from them, and how it is kept. May import `evaluation` and below."""

"""When to train, which version becomes champion, and how to roll back. May import `gates` and below."""

"""When to train, who becomes champion, and how that is undone. May import `gates` and below."""

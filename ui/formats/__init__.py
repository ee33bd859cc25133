"""What the UI says of models in other forms than pages: a feed, badges, metrics."""

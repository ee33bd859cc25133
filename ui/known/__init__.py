"""What is known of the models and of what was done: read in the background, so that no page waits for a store."""

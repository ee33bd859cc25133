"""The web UI: pages of what needs a person, of the models and of what was done; it may import flows and below."""

"""The API: what the pages show, as JSON."""

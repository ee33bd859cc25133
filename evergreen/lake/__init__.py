"""The Delta tables. May import `definition`."""

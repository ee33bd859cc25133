"""Profiles of columns and their distance from the reference. May import `lake` and below."""

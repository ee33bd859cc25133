"""Migrations of the stored state from one format to the next. May import `lake`, `registry`, `ingestion`."""

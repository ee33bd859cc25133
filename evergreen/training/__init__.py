"""From the lake to a fitted model. May import `registry`, `ingestion`, `drift` and below."""

"""From files to the lake."""

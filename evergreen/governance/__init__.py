"""Lineage, audit, reproduction, erasure. May import `monitoring`, `lifecycle` and below."""

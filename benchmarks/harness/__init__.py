"""What the benchmarks share: measuring, tables, a Prefect server, environments of other tools."""

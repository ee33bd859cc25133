"""The stages of the flows as Prefect tasks, one file each."""

"""The processes of the service: supervisor, workers, the cache of models, metrics."""

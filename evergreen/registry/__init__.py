"""The MLflow model registry. May import `lake` and below."""

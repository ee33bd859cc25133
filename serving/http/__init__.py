"""HTTP: routes, model endpoints, authentication, connections."""

"""HTTP: routes, requests, authentication, errors."""

"""The other servers, each with the same model; run in environments of their own."""

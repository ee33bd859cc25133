"""What a model file declares: data, contract, gates, policy. Imports no other package."""

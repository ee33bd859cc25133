"""What runs the flows: parameters, states, terminal, deployments, servers. May import `tasks` and `evergreen`."""

"""What is observed between trainings: predictions, degradation, probation. May import `gates` and below."""

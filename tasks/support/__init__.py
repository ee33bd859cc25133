"""What several stages need: events, alerts, retries. May import `evergreen`."""

"""From a source to the lake: contract, quarantine, label feedback. May import `lake` and below."""

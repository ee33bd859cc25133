"""A table that nobody has prepared, from `evergreen new` to an answer of the service, with nothing edited."""

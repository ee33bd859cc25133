"""Who looks at a page, and what they may do."""

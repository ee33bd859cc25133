"""What a person can do from a page, and the forms by which they ask for it."""

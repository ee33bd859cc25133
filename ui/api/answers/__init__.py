"""What the API answers: its objects, made of the facts that the pages show."""

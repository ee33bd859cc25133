"""What the page of a model and those below it show, read from the stores."""

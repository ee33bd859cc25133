"""Champion and challenger measured on the same rows, with intervals. May import `training` and below."""

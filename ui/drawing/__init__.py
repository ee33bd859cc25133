"""Pictures that the server draws, as SVG: what is seen where no script runs."""

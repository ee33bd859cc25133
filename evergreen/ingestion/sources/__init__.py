"""The kinds of sources, a file each. A new one is a further file, and its public name in `evergreen/__init__.py`."""

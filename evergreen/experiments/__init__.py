"""Experiments: a changed recipe beside that of the model file, over the last periods of pinned rows.

Nothing of an experiment is registered, no alias moves, and the rows of the next holdout are not read. It may import
every package of the loop.
"""

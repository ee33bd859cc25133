"""The verbs: the stages of a pipeline, one file each."""

"""A change of the toy whose labels end: lines for its model file."""

LABELS_END = """
usual = rows


def mute(since, until):
    found = usual(since, until)
    return found.assign(y=found["y"].where(found["at"] < "2013-01-29"))


model = model.model_copy(update={"source": model.source.model_copy(update={"function": mute})})
"""

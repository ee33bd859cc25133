"""Whether every gate and trigger of a model can come to a judgement. May import `definition` only."""

"""How columns are read that are not plain numbers, text or ISO times. May import kinds and options."""

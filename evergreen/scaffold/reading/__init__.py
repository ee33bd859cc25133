"""How a stranger's table is read: its form, its columns, its times. Imports nothing of what is drafted from it."""

"""The command line: a module for each group of commands; `render` has the tables that they print."""

"""Tables and trees for a person, a module for each group of commands. May import `evergreen`, types only."""

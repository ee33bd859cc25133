"""Pages and plots for people. May import every other package of `evergreen`; none imports it."""

"""How others do the same: one file for each, with all that is not their own work."""

"""Programs that show how the parts fit; each is tested like the library."""

"""The checks of the laboratory, one kind of row in each file."""

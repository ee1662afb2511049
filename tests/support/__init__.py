"""What several test folders share; the tests themselves import it."""

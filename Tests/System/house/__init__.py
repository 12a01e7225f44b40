"""What the tests' own machinery promises."""

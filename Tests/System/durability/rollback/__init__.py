"""A state that is a copy, went back in time, or is of an older version."""

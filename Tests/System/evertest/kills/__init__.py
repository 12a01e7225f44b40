"""The campaign that kills the daemon at every boundary of its system calls."""

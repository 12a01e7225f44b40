"""The campaign that cuts the power of the daemon's disk at every write."""

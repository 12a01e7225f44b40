"""A daemon under pressure: bad disks, few descriptors, little memory; tests side by side."""

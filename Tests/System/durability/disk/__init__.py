"""Disks that are full, fail or vanish; too few descriptors, too little memory."""

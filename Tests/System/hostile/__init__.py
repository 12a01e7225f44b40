"""What hostile providers, mounts, name servers and local users can take: nothing."""

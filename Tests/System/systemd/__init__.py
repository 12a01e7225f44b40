"""The units, the journal and the credential socket under a real systemd."""

"""What is shipped: the Debian package, the manual pages, the README, the schema."""

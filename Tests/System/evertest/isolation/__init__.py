"""What misbehaves beside healthy credentials, and what is measured of them meanwhile."""

"""What goes over the wire: requests, answers, TLS, client authentication, steps."""

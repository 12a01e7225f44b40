"""The control socket: its routes, who may use which, and what abuse it stands."""

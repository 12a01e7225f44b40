"""What an operator relies on: metrics, alerts, reloads, secrets, true causes."""

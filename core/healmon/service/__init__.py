"""Single instance, daemon, overrides."""

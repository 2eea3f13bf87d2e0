"""From `healmon.toml` to frozen settings."""

"""The terminal face of healmon: shows what the core does and asks it to act."""

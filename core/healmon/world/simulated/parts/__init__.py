"""What simulated parts are made of."""

"""The life of an alert: one per cause, open until it is over."""

"""What each panel shows of the snapshot: pure, one module per kind of component."""

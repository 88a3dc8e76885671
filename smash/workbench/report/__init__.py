"""Reports from what runs logged."""

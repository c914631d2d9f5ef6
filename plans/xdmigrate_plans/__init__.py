"""The plan file: its model, loader, secrets, ready-made plans, and what an edit of a running plan means."""

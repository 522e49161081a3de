"""Questions asked of particular models with the harness; nothing of it depends on them."""

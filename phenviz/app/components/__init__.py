"""Parts of pages: each reads the state and draws; none knows another."""

"""Pages by URL: each chooses, queries and draws."""

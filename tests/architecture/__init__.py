"""House rules that no linter knows, each with the incident that it prevents."""

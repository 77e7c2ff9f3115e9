"""A log in one SQLite file, and what looks after that file."""

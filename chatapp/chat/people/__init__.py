"""People: their names, who has which name, and who is in which room."""

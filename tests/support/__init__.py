"""Tools that tests share. Each module says when to use it."""

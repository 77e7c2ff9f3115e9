"""The chat's rules: no sockets, no Flask, no files and no Redis."""

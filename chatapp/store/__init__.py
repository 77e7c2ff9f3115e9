"""The log of messages: one contract (`base`), and a module for each way of keeping it."""

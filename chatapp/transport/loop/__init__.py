"""The event loop, or threads: time, tasks, reading, writing, and limits."""

"""HTTP requests under any server: scheduling, bodies, and answers."""

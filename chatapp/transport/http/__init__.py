"""HTTP requests, of whichever server took them: their turn, their body, and their answer's end."""

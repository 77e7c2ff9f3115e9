"""Long runs that attack or kill servers: `make fuzz`, `make torture`."""

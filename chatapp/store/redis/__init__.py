"""A log and a roster on Redis, which many processes share."""

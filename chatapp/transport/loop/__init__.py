"""What the transport needs of gevent's loop or of threads: time, reading, writing, workers."""

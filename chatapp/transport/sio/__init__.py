"""Socket.IO (protocols 5 and 4): packets, rooms and events over Engine.IO."""

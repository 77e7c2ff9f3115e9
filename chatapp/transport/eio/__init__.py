"""Engine.IO (protocols 4 and 3): sessions over HTTP long polling and WebSocket."""

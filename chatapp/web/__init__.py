"""What Flask serves: the page, its headers, and the namespace of the chat's events."""

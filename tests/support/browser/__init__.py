"""Tools of the browser tests: windows, the keyboard, screens, hostile texts."""

"""Tools of the tests in a browser: windows, keyboard, screenshots, a hostile client."""

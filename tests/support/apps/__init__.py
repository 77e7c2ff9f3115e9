"""Applications for tests to serve: `Server(..., module="support.apps.NAME")`."""

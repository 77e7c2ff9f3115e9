"""Applications that tests serve (`Server(..., module="support.apps.NAME")`)."""

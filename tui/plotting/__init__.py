"""Pure functions from points to terminal cells; nothing here knows Textual."""

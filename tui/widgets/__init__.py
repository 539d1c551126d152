"""Widgets get frozen values and answer with messages; none knows the gateway."""

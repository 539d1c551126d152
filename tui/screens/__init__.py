"""Screens own their state: they ask the gateway in a thread and hand values to widgets."""

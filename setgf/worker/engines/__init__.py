"""Ways to start an attempt. Here: on this machine."""

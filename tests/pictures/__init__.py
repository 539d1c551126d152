"""Makes the pictures of the README and the recorded session from runs that really trained."""

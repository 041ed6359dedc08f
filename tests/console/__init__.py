"""The operators' console, as the Flask application that it is."""

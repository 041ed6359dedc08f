"""Tools of the repository; nothing here is deployed."""

"""The operators' console: what it reads (`reading`), what it does (`operating`), and how both are shown (`api`, `pages`)."""

"""The operators' console: what it reads (`reading`), what it does (`operating`), how it shows both (`api`, `pages`)."""

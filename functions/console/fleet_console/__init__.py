"""The operators' console: what it reads (`reading`), what it does (`operating`), and how it shows both (`api`, `pages`)."""
